"""Runs of a method that sees pictures, from its request to its evaluation on another dataset."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file

from data_manifests.errors import Interrupted, MissingUpstream, UsageError
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.train.backbone import Towers, load_towers
from pipelines.train.options import TrainOptions
from pipelines.train.plan import PlannedRun, plan_run
from pipelines.train.protocol import Protocol
from pipelines.train.run import train_run
from tests.pipelines import seeing_encoder
from tests.pipelines.train.loop_world import files, stop_before_step

CPU = Machine(device="cpu", offline=True)


@pytest.fixture
def seen(embedded: Workspace, world: Any) -> Workspace:
    """Both datasets embedded by an encoder with both towers open, too."""
    world.embed_dataset(embedded, "mine", ("train", "val"), seeing_encoder.lazy())
    world.embed_dataset(embedded, "other", ("val",), seeing_encoder.lazy())
    return embedded


def plan(workspace: Workspace, classify: Any = None, **overrides: Any) -> PlannedRun:
    chosen = {"epochs": 2, "batch": 4, "frames": 4, "global_prompts": 2, **overrides}
    return plan_run(
        workspace, TrainOptions("mine", "vita-clip", set=chosen, encoder=seeing_encoder.SPEC, classify=classify)
    )


def weights(planned: PlannedRun) -> dict[str, bytes]:
    return {label: (planned.folder / label / "weights.safetensors").read_bytes() for label in ("noun", "verb")}


@pytest.mark.parametrize("classify", ["hand", "full"])
def test_it_is_trained_and_evaluated_on_other_classes(seen: Workspace, classify: Any) -> None:
    planned = plan(seen, classify)
    assert planned.protocol.streams is None
    assert list(planned.protocol.needed) == ["frames"]
    assert train_run(seen, planned, CPU, Silent())["trained"] == ["noun", "verb"]
    saved = load_file(planned.folder / "noun/weights.safetensors")
    assert saved["local_prompts"].shape == (3, 4, 24)
    assert "cls_proj.0.weight" in saved
    within, cross = evaluate(seen, find_run(seen, planned.name), [("mine", "val"), ("other", "val")], CPU, Silent())
    assert (within.metrics.labels["noun"].classes, cross.metrics.labels["noun"].classes) == (3, 4)
    assert cross.metrics.labels["noun"].n_evaluated == 6


def test_hand_crops_and_full_frames_are_other_pictures_and_other_weights(seen: Workspace) -> None:
    found = []
    for classify in ("hand", "full"):
        planned = plan(seen, classify)
        train_run(seen, planned, CPU, Silent())
        found.append(weights(planned))
    assert found[0]["noun"] != found[1]["noun"]


def test_a_run_stopped_and_resumed_has_the_same_bytes(seen: Workspace) -> None:
    planned = plan(seen)
    train_run(seen, planned, CPU, Silent())
    whole = weights(planned)
    shutil.rmtree(planned.folder)
    with pytest.raises(Interrupted):
        train_run(seen, planned, CPU, Silent(), stop=stop_before_step(3))
    assert "state.pt" in files(planned.folder / "noun")
    shutil.rmtree(seen.root / "cache")
    train_run(seen, plan(seen), CPU, Silent())
    assert weights(planned) == whole


def test_with_vectors_alone_it_is_refused_with_the_command_that_decodes(seen: Workspace) -> None:
    planned = plan(seen)
    shutil.rmtree(seen.root / "frames/mine/train")
    for refused in (lambda: plan(seen), lambda: train_run(seen, planned, CPU, Silent())):
        with pytest.raises(MissingUpstream, match=r"no frames\. Run xmic decode mine --split train -w"):
            refused()


def test_the_segments_belong_to_the_protocol_and_the_frames_to_the_method(seen: Workspace) -> None:
    with pytest.raises(UsageError, match="--set segments: it belongs to the protocol"):
        plan(seen, segments=2)
    assert plan(seen, frames=2).config["method_config"]["frames"] == 2
    with pytest.raises(UsageError, match="frames=3, but clips have 4 segments"):
        plan(seen, frames=3)


def test_an_encoder_without_an_open_image_tower_is_named(embedded: Workspace, monkeypatch: Any) -> None:
    made = {"spec": "timm:vit/x", "weights_sha256": "b"}
    monkeypatch.setattr("pipelines.train.backbone.describe_encoder", lambda spec, **_: SimpleNamespace(provenance=made))
    monkeypatch.setattr("pipelines.train.backbone.load_encoder", lambda spec, **_: object())
    protocol = Protocol("timm", "timm", None, "full", None, 4, 0, 95, "{}", vectors={"timm/full": made})
    with pytest.raises(UsageError, match=r"timm:vit/x: this kind of encoder does not open its visual tower.*open_clip"):
        load_towers(embedded, protocol, {"pixels"}, CPU)
    assert load_towers(embedded, protocol, {"frame_vectors"}, CPU) == Towers()


def test_pocket_opens_both_towers(embedded: Workspace) -> None:
    from pipelines.embed.encoders import describe_encoder

    made = describe_encoder("pocket", precision="fp32", batch_size=1, device="cpu").provenance
    protocol = Protocol("pocket", "pocket", None, "full", None, 4, 0, 95, "{}", vectors={"pocket/full": made})
    towers = load_towers(embedded, protocol, {"pixels", "text_tower"}, CPU)
    assert towers.text is not None
    assert towers.visual is not None
    assert (towers.visual.size, towers.visual.width, towers.visual.dim) == (128, 192, towers.text.dim)
    assert len(towers.visual.layers) == 8
