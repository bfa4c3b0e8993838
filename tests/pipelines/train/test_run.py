from __future__ import annotations

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from data_manifests.errors import InputError, Interrupted, MissingUpstream, UsageError
from pipelines.engine.locks import ShardLock
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.trained import find_run
from pipelines.train.options import TrainOptions
from pipelines.train.plan import choose_source, plan_run
from pipelines.train.run import load_text, train_run
from tests.ended_process import ended_process

QUICK = {"epochs": 3, "batch": 4, "warmup_epochs": 1}


def request(**changes):
    return TrainOptions(**{"dataset": "mine", "set": QUICK, **changes})


def train(workspace, **changes):
    planned = plan_run(workspace, request(**changes))
    return planned, train_run(workspace, planned, Machine(device="cpu"), Silent())


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_has_two_heads_with_their_artifacts(embedded):
    planned, result = train(embedded)
    assert result["trained"] == ["noun", "verb"]
    for label in ("noun", "verb"):
        names = {p.name for p in (planned.folder / label).iterdir()}
        assert names == {"config.json", "weights.safetensors", "metrics.jsonl", "summary.json"}
        lines = [json.loads(line) for line in (planned.folder / label / "metrics.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [1, 2, 3]
        assert {"loss", "learning_rate", "logit_scale", "text_norm", "xmic_norm"} <= set(lines[0])
    assert json.loads((planned.folder / "verb/config.json").read_text())["threads"] == torch.get_num_threads()
    assert planned.name.endswith(planned.key[:8])
    assert (embedded.root / "runs/latest").resolve() == planned.folder.resolve()


def test_a_finished_run_is_never_touched(embedded):
    planned, _ = train(embedded)
    before = files(planned.folder)
    again = train_run(embedded, plan_run(embedded, request()), Machine(device="cpu"), Silent())
    assert again["trained"] == []
    assert files(planned.folder) == before


def test_the_link_to_the_newest_run_is_written_only_where_it_changes_and_nothing_stays_beside_it(embedded):
    planned, _ = train(embedded)
    link = embedded.run("latest")
    before = link.lstat().st_ino
    left = link.with_name(f".latest.{socket.gethostname()}-{ended_process()}")
    left.symlink_to(planned.name)
    train_run(embedded, plan_run(embedded, request()), Machine(device="cpu"), Silent())
    assert link.lstat().st_ino == before
    assert not left.is_symlink()
    link.unlink()
    link.symlink_to("other")
    train_run(embedded, plan_run(embedded, request()), Machine(device="cpu"), Silent())
    assert link.readlink() == Path(planned.name)


def test_a_head_with_damaged_weights_is_refused_and_trained_again(embedded):
    planned, _ = train(embedded)
    whole = files(planned.folder)
    weights = planned.folder / "noun/weights.safetensors"
    for content in (weights.read_bytes()[:100], weights.read_bytes()[:-1] + b"!"):
        weights.write_bytes(content)
        with pytest.raises(InputError, match=r"not the weights .* finished with\. Run the same xmic train command"):
            find_run(embedded, planned.name)
        again = train_run(embedded, plan_run(embedded, request()), Machine(device="cpu"), Silent())
        assert again["trained"] == ["noun"]
        weights.with_name("weights.safetensors.damaged").unlink()
        assert files(planned.folder) == whole


def test_a_run_stopped_after_any_step_and_resumed_has_the_same_bytes(embedded):
    planned, _ = train(embedded)
    whole = files(planned.folder)
    for stop_at in (1, 2, 3, 5):
        shutil.rmtree(planned.folder)
        asked = []

        def stop(asked=asked, stop_at=stop_at):
            asked.append(1)
            return "SIGTERM" if len(asked) == stop_at else None

        with pytest.raises(Interrupted, match=r"stopped \(SIGTERM\) .* the same command goes on from there"):
            train_run(embedded, planned, Machine(device="cpu"), Silent(), stop=stop)
        train_run(embedded, planned, Machine(device="cpu"), Silent())
        assert files(planned.folder) == whole


def test_a_head_that_another_process_trains_is_waited_for_and_not_trained_twice(embedded, monkeypatch):
    planned, _ = train(embedded)
    whole = files(planned.folder)
    shutil.rmtree(planned.folder)
    other = ShardLock(planned.folder / ".locks/noun.lock")
    assert other.acquire()
    asked, notes = [], []

    class Notes(Silent):
        def note(self, text):
            notes.append(text)

    def sleep(seconds):
        asked.append(1)
        if len(asked) == 3:
            other.release()
            monkeypatch.undo()
            train_run(embedded, planned, Machine(device="cpu"), Silent())

    monkeypatch.setattr("pipelines.engine.locks.time.sleep", sleep)
    result = train_run(embedded, planned, Machine(device="cpu"), Notes())
    assert [text for text in notes if "another process" in text] == [
        f"noun: another process trains {planned.name} at the moment; waiting for it"
    ]
    assert (result["trained"], sorted(result["heads"])) == ([], ["noun", "verb"])
    assert files(planned.folder) == whole


def test_waiting_for_another_process_ends_when_asked_to_stop(embedded):
    planned = plan_run(embedded, request())
    other = ShardLock(planned.folder / ".locks/noun.lock")
    assert other.acquire()
    with pytest.raises(Interrupted, match=r"noun: stopped \(SIGTERM\) while another process trains xmic-official-mine"):
        train_run(embedded, planned, Machine(device="cpu"), Silent(), stop=lambda: "SIGTERM")
    other.release()


def test_a_head_keeps_what_it_was_trained_with_when_the_other_is_trained_elsewhere(embedded, monkeypatch):
    planned, _ = train(embedded)
    threads = torch.get_num_threads()
    shutil.rmtree(planned.folder / "verb")
    monkeypatch.setattr("pipelines.train.run.torch.get_num_threads", lambda: 77)
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    said = [json.loads((planned.folder / label / "config.json").read_text())["threads"] for label in ("noun", "verb")]
    assert said == [threads, 77]


def test_the_time_limit_saves_and_exits_130(embedded):
    planned = plan_run(embedded, request())
    with pytest.raises(Interrupted, match="time limit") as stopped:
        train_run(embedded, planned, Machine(device="cpu"), Silent(), time_limit_minutes=0)
    assert stopped.value.exit_code == 130
    assert (planned.folder / "noun/state.pt").is_file()


def test_the_key_covers_settings_seed_protocol_and_vectors_but_not_the_machine(embedded, world):
    base = plan_run(embedded, request()).key
    assert plan_run(embedded, request()).key == base
    assert plan_run(embedded, request(seed=1)).key != base
    assert plan_run(embedded, request(set={**QUICK, "scale": 1.0})).key != base
    assert plan_run(embedded, request(preset="paper")).key != base
    assert plan_run(embedded, request(streams="full")).key != base
    shutil.rmtree(embedded.root / "embeddings/mine")
    world.embed_dataset(embedded, "mine", ("train",), world.encoder(precision="bf16"))
    assert plan_run(embedded, request()).key != base


def test_the_precision_is_in_the_key_and_the_configuration_unless_it_is_the_default(embedded):
    base = plan_run(embedded, request())
    assert "precision" not in base.config
    assert plan_run(embedded, request(precision="fp32")).key == base.key
    planned, _ = train(embedded, precision="bf16")
    assert planned.key != base.key
    assert json.loads((planned.folder / "noun/config.json").read_text())["precision"] == "bf16"
    train(embedded)
    weights = [(run.folder / "noun/weights.safetensors").read_bytes() for run in (planned, base)]
    assert weights[0] != weights[1]
    assert find_run(embedded, planned.name).config["precision"] == "bf16"


def test_presets_decide_the_classified_stream(embedded):
    assert plan_run(embedded, request()).protocol.classify == "hand"
    assert plan_run(embedded, request(preset="paper")).protocol.classify == "full"
    assert plan_run(embedded, request(preset="paper")).config["recipe"]["lr"] == 1e-6
    assert plan_run(embedded, request(method="zero-shot", set={})).protocol.streams is None


def test_settings_of_the_protocol_can_not_be_set_behind_its_back(embedded):
    with pytest.raises(UsageError, match="--set streams: it belongs to the protocol; use --streams"):
        plan_run(embedded, request(set={"streams": "full"}))


def test_one_candidate_needs_fixed_frames(embedded, world):
    shutil.rmtree(embedded.root / "frames/mine/train")
    shutil.rmtree(embedded.root / "embeddings/mine/train")
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.embed.stage import EmbedStage
    from pipelines.engine import stage

    frames = DecodeStage(embedded, "mine", "train", FramePlan(4, 1, 0))
    stage.run(frames)
    stage.run(EmbedStage(frames, world.encoder()))
    full = {"streams": "full", "classify": "full"}
    with pytest.raises(UsageError, match="leaves training nothing to draw from.*--fixed-frames"):
        plan_run(embedded, request(**full))
    _, result = train(embedded, **full, fixed_frames=True)
    assert result["trained"] == ["noun", "verb"]


def test_zero_shot_learns_nothing_and_is_a_run_all_the_same(embedded):
    planned, result = train(embedded, method="zero-shot", set={})
    assert result["heads"]["noun"]["parameters"] == 0
    with safe_open(planned.folder / "noun/weights.safetensors", "pt") as file:
        assert list(file.keys()) == []


def test_one_head_can_be_trained_alone_and_the_other_later(embedded):
    planned, result = train(embedded, label="noun")
    assert result["trained"] == ["noun"]
    again, result = train(embedded)
    assert again.folder == planned.folder
    assert result["trained"] == ["verb"]


def test_the_source_is_the_only_dataset_with_a_train_split(embedded, world, tmp_path, make_video):
    assert choose_source(embedded, None) == ("mine", "train")
    with pytest.raises(MissingUpstream, match=r"other has no prepared train split \(with one: mine\)"):
        choose_source(embedded, "other")
    world.add_dataset(embedded, tmp_path, make_video, "third", ("train",), clips=1, hands=False)
    with pytest.raises(UsageError, match=r"several datasets have a train split \(mine, third\)"):
        choose_source(embedded, None)


def test_class_names_that_are_not_embedded_name_the_command(embedded):
    shutil.rmtree(embedded.root / "text/mine")
    with pytest.raises(MissingUpstream, match=r"class names are not embedded with prompt '\{\}'\. Run xmic embed mine"):
        plan_run(embedded, request())


def test_bare_texts_come_with_the_classes_unless_they_are_prompted_or_several(embedded, world):
    from pipelines.embed.text import text_stages
    from pipelines.engine import stage

    protocol = plan_run(embedded, request()).protocol
    found = {}
    for prompt, names in (("{}", "official"), ("{}", "fixed"), ("a {}", "official"), ("{}", "synonyms")):
        for text in text_stages(embedded, "mine", world.encoder(), prompt, names):
            stage.run(text)
        chosen = replace(protocol, prompt=prompt, names=names)
        found[prompt, names] = load_text(embedded, "mine", chosen, "noun", torch.device("cpu"))
    assert [bank.texts for bank in found.values()] == [["bread", "jar", "pan"]] * 2 + [None] * 2
    assert all(bank.names == ["bread", "jar", "pan"] for bank in found.values())


def test_zero_shot_needs_no_train_split(embedded):
    assert choose_source(embedded, "other", trains=False) == ("other", "val")
    assert choose_source(embedded, None, trains=False) == ("mine", "train")
    request_ = TrainOptions("other", "zero-shot", classify="full")
    planned = plan_run(embedded, request_)
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    from pipelines.evaluate.run import evaluate
    from pipelines.evaluate.trained import find_run

    (found,) = evaluate(embedded, find_run(embedded, planned.name), [("other", "val")], Machine(device="cpu"), Silent())
    assert str(found.metrics.source) == "other val"
    assert found.metrics.labels["noun"].n_evaluated == 6


def test_other_class_names_are_another_run(embedded, world):
    from pipelines.embed.text import text_stages
    from pipelines.engine import stage

    with pytest.raises(MissingUpstream, match="the fixed noun class names are not embedded.* --names fixed"):
        plan_run(embedded, request(names="fixed"))
    for text in text_stages(embedded, "mine", world.encoder(), "{}", "fixed"):
        stage.run(text)
    official, fixed = (plan_run(embedded, request(names=n)) for n in ("official", "fixed"))
    assert official.name != fixed.name
    assert fixed.config["protocol"]["names"] == "fixed"
