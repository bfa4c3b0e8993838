from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.spec import parse_spec
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.train.backbone import Towers, load_towers
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.protocol import Protocol
from pipelines.train.run import train_run
from tests.pipelines import towered_encoder
from tests.pipelines.towered_encoder import LOADED, SPEC

CPU = Machine(device="cpu", offline=True)
TEXT = {"text_tower"}
TINY = Path(__file__).resolve().parents[3] / "examples" / "tiny-clip.json"


@pytest.fixture
def towered(embedded: Workspace, world: Any) -> Workspace:
    """Both datasets embedded by an encoder with a text tower, too."""
    world.embed_dataset(embedded, "mine", ("train", "val"), towered_encoder.lazy(), hands=False)
    world.embed_dataset(embedded, "other", ("val",), towered_encoder.lazy(), hands=False)
    LOADED.clear()
    return embedded


def request(method: str, **changes: Any) -> TrainOptions:
    overrides = {"epochs": 2, "batch": 4, **({"heads": 4} if method == "a5" else {})}
    return TrainOptions("mine", method, set=overrides, **{"encoder": SPEC, "classify": "full", **changes})


@pytest.mark.parametrize("method", ["coop", "cocoop", "a5"])
def test_a_prompt_learner_is_trained_and_evaluated_on_other_classes(towered: Workspace, method: str) -> None:
    planned = plan_run(towered, request(method))
    assert planned.protocol.streams is None
    assert list(planned.protocol.needed) == ["frames"]
    result = train_run(towered, planned, CPU, Silent())
    assert result["trained"] == ["noun", "verb"]
    assert len(LOADED) == 1
    assert (LOADED[0].precision, LOADED[0].device, LOADED[0].offline) == ("fp32", "cpu", True)
    saved = load_file(planned.folder / "noun/weights.safetensors")
    assert sum(tensor.numel() for tensor in saved.values()) == result["heads"]["noun"]["parameters"] < 60_000
    run = find_run(towered, planned.name)
    within, cross = evaluate(towered, run, [("mine", "val"), ("other", "val")], CPU, Silent())
    assert (within.metrics.labels["noun"].classes, cross.metrics.labels["noun"].classes) == (3, 4)
    assert cross.metrics.labels["noun"].n_evaluated == 6
    assert len(LOADED) == 3


def test_a_finished_run_and_its_evaluation_load_no_encoder(towered: Workspace) -> None:
    planned = plan_run(towered, request("coop"))
    for _ in range(2):
        train_run(towered, planned, CPU, Silent())
        evaluate(towered, find_run(towered, planned.name), [("mine", "val")], CPU, Silent())
    assert len(LOADED) == 2


def test_what_needs_no_tower_loads_none(towered: Workspace) -> None:
    assert load_towers(towered, plan_run(towered, request("coop")).protocol, {"frame_vectors"}, CPU) == Towers()
    assert LOADED == []


def test_prompted_names_and_synonyms_are_refused_before_anything_is_loaded(towered: Workspace, world: Any) -> None:
    from pipelines.embed.text import text_stages
    from pipelines.engine import stage

    for prompt, names in (("a {}", "official"), ("{}", "synonyms")):
        for text in text_stages(towered, "mine", towered_encoder.lazy(), prompt, names):
            stage.run(text)
    with pytest.raises(UsageError, match=r"--prompt 'a \{\}': coop learns its own prompt around the bare class names"):
        plan_run(towered, request("coop", prompt="a {}"))
    with pytest.raises(UsageError, match="--names synonyms: a5 learns a prompt around one text a class; take --names"):
        plan_run(towered, request("a5", names="synonyms"))


def test_an_encoder_without_an_open_tower_is_named(embedded: Workspace, monkeypatch: Any) -> None:
    made = {"spec": "timm:vit/x", "weights_sha256": "b"}
    monkeypatch.setattr("pipelines.train.backbone.describe_encoder", lambda spec, **_: SimpleNamespace(provenance=made))
    monkeypatch.setattr("pipelines.train.backbone.load_encoder", lambda spec, **_: object())
    with pytest.raises(UsageError, match=r"timm:vit/x: this kind of encoder does not open its text tower.*open_clip"):
        load_towers(embedded, protocol("timm-vit-x-b", made), TEXT, CPU)


def protocol(slug: str, made: dict[str, Any]) -> Protocol:
    return Protocol(slug, slug, None, "full", None, 4, 0, 95, "{}", vectors={f"{slug}/full": made})


def saved_encoder(folder: Path) -> str:
    """Weights in a file; its spec, with folders."""
    model = load_encoder(f"open_clip:{TINY}/random", **options())._model
    folder.mkdir(exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "clip.safetensors")
    config = json.loads(TINY.read_text())
    mean, std = ([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])
    content = {"model_cfg": config, "preprocess_cfg": {"mean": mean, "std": std}}
    (folder / "my.json").write_text(json.dumps(content))
    return f"open_clip:{folder / 'my.json'}={folder / 'clip.safetensors'}"


def options() -> dict[str, Any]:
    return {"precision": "fp32", "batch_size": 1, "device": "cpu", "allow_random_weights": True}


def test_weights_from_a_file_are_found_again_and_a_moved_file_needs_the_option(tmp_path: Path) -> None:
    spec = saved_encoder(tmp_path / "weights")
    identity = describe_encoder(spec, **options())
    assert "/" not in identity.provenance["spec"]
    workspace, fitting = Workspace(tmp_path / "work"), protocol(identity.slug, dict(identity.provenance))
    with pytest.raises(
        MissingUpstream, match=r"this workspace does not know where its files lie.*--encoder open_clip:"
    ):
        load_towers(workspace, fitting, TEXT, CPU)
    first = load_towers(workspace, fitting, TEXT, CPU, spec).text
    workspace = Workspace.open(tmp_path / "work")
    assert workspace.encoders == {identity.slug: parse_spec(spec).located}
    again = load_towers(workspace, fitting, TEXT, CPU).text
    assert first is not None
    assert again is not None
    tokens = first.tokens(["cut", "egg"])
    vectors = [tower.encode(tower.embed(tokens), tokens.argmax(1)) for tower in (first, again)]
    assert torch.equal(*vectors)
    torch.testing.assert_close(
        vectors[0], torch.from_numpy(load_encoder(spec, **options()).encode_texts(["cut", "egg"]))
    )
    shutil.move(tmp_path / "weights", tmp_path / "elsewhere")
    with pytest.raises(MissingUpstream, match=r"clip.safetensors is not there.* If it has moved, pass --encoder open"):
        load_towers(workspace, fitting, TEXT, CPU)
    moved = spec.replace("weights/", "elsewhere/")
    assert load_towers(workspace, fitting, TEXT, CPU, moved).text is not None
    assert Workspace.open(tmp_path / "work").encoders[identity.slug] == parse_spec(moved).located


def test_other_weights_than_those_of_the_vectors_are_refused(tmp_path: Path) -> None:
    identity = describe_encoder("pocket", **options())
    other = protocol(identity.slug, {**identity.provenance, "weights_sha256": "c" * 64})
    with pytest.raises(InputError, match=r"pocket: weights_sha256 [0-9a-f]{64}, but the vectors of .* with c{64}"):
        load_towers(Workspace(tmp_path), other, TEXT, CPU)
    assert not (tmp_path / "workspace.toml").exists()


def test_pocket_needs_no_place(tmp_path: Path) -> None:
    identity = describe_encoder("pocket", **options())
    fitting = protocol(identity.slug, dict(identity.provenance))
    tower = load_towers(Workspace(tmp_path), fitting, TEXT, CPU).text
    assert tower is not None
    assert (tower.dim, tower.width, tower.context) == (256, 64, 77)
    assert not (tmp_path / "workspace.toml").exists()


def test_a_target_embedded_otherwise_can_not_take_the_prompts(tmp_path: Path) -> None:
    of_run = protocol("one-00000000", {"spec": "pocket"})
    mixed = Protocol(**{**of_run.as_dict(), "encoder": "two-00000000"})
    with pytest.raises(InputError, match=r"two-00000000/full: the run was trained with another encoder"):
        load_towers(Workspace(tmp_path), mixed, TEXT, CPU)
