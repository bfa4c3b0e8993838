"""Runs under other terms than a method's own: recordings held out, an epoch chosen, learning rates tried."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors import safe_open

from data_manifests.errors import Interrupted, MissingUpstream, UsageError
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.train import matched
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.policy import LEARNING_RATES, SelectionPolicy
from pipelines.train.run import train_run

QUICK = {"epochs": 2, "batch": 2, "warmup_epochs": 1}


def request(policy, **changes):
    return TrainOptions(**{"dataset": "mine", "set": QUICK, "label": "noun", **vars(policy), **changes})


def train(workspace, policy, stop=lambda: None, **changes):
    planned = plan_run(workspace, request(policy, **changes))
    return planned, train_run(workspace, planned, Machine(device="cpu"), Silent(), stop=stop)


def lines_of(planned):
    return [json.loads(line) for line in (planned.folder / "noun/metrics.jsonl").read_text().splitlines()]


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_held_out_recordings_are_not_trained_on_and_every_epoch_says_how_they_stand(embedded):
    planned, result = train(embedded, SelectionPolicy(source_val=34))
    summary = result["heads"]["noun"]
    assert (summary["clips"], summary["held_out"], summary["labelled"]) == (3, 3, 6)
    assert [line["clips"] for line in lines_of(planned)] == [3, 3]
    assert all({"source_val_loss", "source_val_accuracy"} <= set(line) for line in lines_of(planned))
    assert planned.config["selection"] == {"select": "last", "source_val": 34, "target": None, "leaking": False}
    assert summary["selected_epoch"] == 2


def test_terms_are_part_of_the_key(embedded):
    policies = [
        SelectionPolicy(),
        SelectionPolicy(source_val=34),
        SelectionPolicy(source_val=50),
        SelectionPolicy(source_val=34, select="source-val"),
        SelectionPolicy("matched", 34),
        SelectionPolicy(select="target", target="other"),
        SelectionPolicy(select="target", target="mine:val"),
    ]
    assert len({plan_run(embedded, request(one)).key for one in policies}) == len(policies)


def test_the_epoch_that_is_best_on_held_out_recordings_is_kept_and_recorded(embedded):
    planned, result = train(embedded, SelectionPolicy(source_val=34, select="source-val"))
    best = max(lines_of(planned), key=lambda line: (line["source_val_accuracy"], -line["source_val_loss"]))
    assert result["heads"]["noun"]["selected_epoch"] == best["epoch"]


def test_choosing_by_a_target_watches_its_clips_with_its_classes_and_is_marked_as_leaking(embedded):
    planned, result = train(embedded, SelectionPolicy(select="target", target="other"))
    assert all({"target_loss", "target_accuracy"} <= set(line) for line in lines_of(planned))
    selection = planned.config["selection"]
    assert selection["leaking"]
    assert (selection["target"]["dataset"], selection["target"]["split"]) == ("other", "val")
    assert set(selection["target"]["inputs"]) == {"clips", "vectors", "text"}
    assert result["heads"]["noun"]["clips"] == 6


def test_a_target_that_is_not_there_or_is_trained_on_is_refused(embedded):
    with pytest.raises(MissingUpstream, match="--target none: .* has no prepared val or test split of none"):
        plan_run(embedded, request(SelectionPolicy(select="target", target="none")))
    with pytest.raises(MissingUpstream, match="has no prepared test split of other"):
        plan_run(embedded, request(SelectionPolicy(select="target", target="other:test")))
    with pytest.raises(UsageError, match="--target mine:train: it is what is trained on"):
        plan_run(embedded, request(SelectionPolicy(select="target", target="mine:train")))


def test_matched_tries_the_same_rates_for_every_method_and_records_all_trials(embedded):
    for method in ("xmic", "clip-adapter"):
        planned, result = train(embedded, SelectionPolicy("matched", 34), method=method)
        summary = result["heads"]["noun"]
        assert [trial["lr"] for trial in summary["trials"]] == list(LEARNING_RATES)
        assert summary["lr"] in LEARNING_RATES
        assert planned.config["recipe"]["name"] == "matched, custom"
        assert planned.config["recipe"]["lr"] == list(LEARNING_RATES)
        with safe_open(planned.folder / "noun/weights.safetensors", framework="pt") as file:
            assert file.metadata()["method"] == method


def test_a_recipe_is_named_by_what_it_is(embedded):
    names = [
        plan_run(embedded, request(policy, set=overrides)).config["recipe"]["name"]
        for policy in (SelectionPolicy(), SelectionPolicy("matched"))
        for overrides in ({}, {"batch": 8})
    ]
    assert names == ["published", "custom", "matched", "matched, custom"]


def test_a_learning_rate_of_ones_own_is_not_matched(embedded):
    with pytest.raises(UsageError, match="--set lr: --recipe matched tries the same learning rates for every method"):
        plan_run(embedded, request(SelectionPolicy("matched"), set={"lr": 1}))


def test_a_method_without_anything_to_learn_takes_no_terms(embedded):
    with pytest.raises(UsageError, match="zero-shot learns nothing: leave out --recipe, --source-val and --select"):
        plan_run(embedded, request(SelectionPolicy("matched"), method="zero-shot", set={}))


@pytest.mark.parametrize(
    "policy",
    [
        SelectionPolicy(source_val=34, select="source-val"),
        SelectionPolicy(select="target", target="other"),
        SelectionPolicy("matched", 34),
    ],
)
def test_stopped_anywhere_and_resumed_a_run_has_the_same_bytes(embedded, monkeypatch, policy):
    monkeypatch.setattr(matched, "LEARNING_RATES", LEARNING_RATES[:2])
    planned, _ = train(embedded, policy)
    whole = files(planned.folder)
    shutil.rmtree(planned.folder)
    for stop_at in (1, 2, 3):
        asked = []

        def stop(asked=asked, stop_at=stop_at):
            asked.append(1)
            return "SIGTERM" if len(asked) == stop_at else None

        with pytest.raises(Interrupted):
            train(embedded, policy, stop)
    train(embedded, policy)
    assert files(planned.folder) == whole
