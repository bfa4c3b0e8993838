from __future__ import annotations

import shutil

import pytest

from data_manifests.errors import InputError, MissingUpstream
from pipelines.embed.text import text_stages
from pipelines.engine import stage
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import DatasetSettings
from pipelines.evaluate import epic
from pipelines.evaluate.metrics_file import read_metrics
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.run_facts import changes
from pipelines.evaluate.trained import find_run
from pipelines.prepare.vocabulary import vocabulary_of
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from tests.pipelines.class_lists import write_classes
from tests.pipelines.run_configs import written_otherwise

TARGETS = [("mine", "val"), ("other", "val")]


class Listening(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def trained(workspace, **choice):
    choice = {"streams": "full", "classify": "full", **choice}
    planned = plan_run(workspace, TrainOptions("mine", set={"epochs": 1, "batch": 4}, **choice))
    train_run(workspace, planned, Machine(device="cpu"), Silent())
    return find_run(workspace, None)


def score(workspace, run, targets=TARGETS, progress=None):
    return [item.as_dict() for item in evaluate(workspace, run, targets, Machine(device="cpu"), progress or Silent())]


def test_a_result_on_another_dataset_carries_the_split_into_shared_and_novel_classes(embedded):
    within, cross = score(embedded, trained(embedded))
    assert within["vocabulary"] == {}
    noun = vocabulary_of(embedded, "mine", "other", "noun")
    assert cross["vocabulary"]["noun"] == {
        "rule": "exact",
        "sha256": noun.sha256,
        "classes": {"shared": 1, "supported": 1, "unsupported": 0, "novel": 3},
    }
    assert cross["vocabulary"]["verb"]["classes"] == {"shared": 2, "supported": 2, "unsupported": 0, "novel": 2}
    read = read_metrics(next((embedded.root / "evaluations").glob("*/other-val/metrics.json")))
    assert read.vocabulary["noun"].sha256 == noun.sha256


def test_a_source_that_is_not_in_this_workspace_is_said_and_nothing_is_guessed(embedded):
    run = trained(embedded)
    shutil.rmtree(embedded.root / "manifests/mine")
    listening = Listening()
    (cross,) = score(embedded, run, TARGETS[1:], listening)
    assert cross["vocabulary"] == {}
    assert f"mine is not prepared in {embedded.root}: shared and novel classes are not known" in listening.notes


def test_a_class_list_of_another_version_is_named_before_anything_is_scored(embedded):
    from pipelines.prepare.classes import read_classes

    run = trained(embedded)
    write_classes(embedded, "mine", "noun", read_classes(embedded, "mine", "noun").drop(["synonyms"]))
    with pytest.raises(InputError, match="another version of xmic wrote it. Run xmic prepare for mine again"):
        score(embedded, run, TARGETS[1:])
    assert not list((embedded.root / "evaluations").rglob("predictions.parquet"))


def test_a_run_is_evaluated_with_the_class_names_it_was_trained_with(embedded, world):
    for text in text_stages(embedded, "mine", world.encoder(), "{}", "synonyms"):
        stage.run(text)
    run = trained(embedded, names="synonyms")
    assert run.protocol.names == "synonyms"
    with pytest.raises(
        MissingUpstream, match=r"other/.*noun-bare-synonyms.parquet: the synonyms noun class names are not embedded.*"
        r"Run xmic embed other -w .* --encoder fake --names synonyms",
    ):  # fmt: skip
        score(embedded, run)
    for text in text_stages(embedded, "other", world.encoder(), "{}", "synonyms"):
        stage.run(text)
    assert [metrics["protocol"]["names"] for metrics in score(embedded, run)] == ["synonyms", "synonyms"]


def test_a_run_of_before_there_was_a_choice_of_names_has_the_official_ones(embedded):
    run = trained(embedded)
    for file in run.folder.glob("*/config.json"):
        written_otherwise(file, lambda config: config["protocol"].pop("names"))
    (within,) = score(embedded, find_run(embedded, None), TARGETS[:1])
    assert within["protocol"]["names"] == "official"


def test_parts_and_references_stand_beside_the_whole_and_are_read_back(embedded):
    within, cross = score(embedded, trained(embedded))
    assert (within["labels"]["noun"]["parts"], within["labels"]["noun"]["shared_novel_hm"]) == ({}, None)
    assert within["labels"]["noun"]["references"]["source_majority"]["n_evaluated"] == 6
    verb = cross["labels"]["verb"]
    assert {name: part["unrestricted"]["n_official"] for name, part in verb["parts"].items()} == {
        "shared": 3,
        "supported": 3,
        "unsupported": 0,
        "novel": 3,
    }
    assert verb["references"]["zero_shot_prior"] is None
    folder = embedded.root / "evaluations"
    read = read_metrics(next(folder.glob("*/other-val/metrics.json")))
    assert read.labels["verb"].parts["novel"].restricted.n_evaluated == 3
    assert read.labels["verb"].references["chance"].percent == 25
    assert read.labels["noun"].calibration.fitted_on == "mine val"
    assert read.actions.seen.pairs + read.actions.unseen.pairs == 4


def test_zero_shot_scores_give_the_reference_with_the_sources_prior(embedded):
    request = TrainOptions("mine", "zero-shot", classify="full")
    planned = plan_run(embedded, request)
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    (cross,) = score(embedded, find_run(embedded, planned.name), TARGETS[1:])
    assert cross["labels"]["noun"]["references"]["zero_shot_prior"]["n_evaluated"] == 6


def test_seen_actions_are_those_of_the_sources_training_clips(embedded):
    (cross,) = score(embedded, trained(embedded), TARGETS[1:])
    # Of cut bread, wash cup, stir tea and fry egg the source shows the first only; six clips show the first two twice.
    seen, unseen = cross["actions"]["seen"], cross["actions"]["unseen"]
    assert (seen["pairs"], seen["n_official"], unseen["pairs"], unseen["n_official"]) == (1, 2, 3, 4)


def test_epics_own_numbers_are_those_of_epic_alone(embedded, monkeypatch):
    run = trained(embedded)
    (cross,) = score(embedded, run, TARGETS[1:])
    assert cross["epic"] is None
    settings = embedded.datasets["other"]
    embedded.datasets["other"] = DatasetSettings("epic", settings.roots, settings.groups)
    (cross,) = score(embedded, run, TARGETS[1:])
    assert cross["epic"] is None, "another dataset written in EPIC's format"
    monkeypatch.setattr(epic, "CLASSES", {"noun": 4, "verb": 4})
    (cross,) = score(embedded, run, TARGETS[1:])
    assert cross["epic"]["overall"]["noun"]["percent"] == cross["labels"]["noun"]["top1"]
    assert cross["epic"]["overall"]["action"]["percent"] == cross["actions"]["top1"]


def test_what_was_set_other_than_the_preset_has_it_stands_in_the_result(embedded):
    within, _ = score(embedded, trained(embedded))
    assert within["run"]["changed_recipe"] == {"batch": 4, "epochs": 1}
    assert within["run"]["changed_settings"] == {}
    read = read_metrics(next((embedded.root / "evaluations").glob("*/mine-val/metrics.json")))
    assert read.run.changed_recipe == {"batch": 4, "epochs": 1}


@pytest.mark.parametrize(
    ("part", "value", "changed"),
    [
        ("method_config", {"n1": False, "n2": False, "streams": "hand"}, ({"n1": False}, {})),
        ("recipe", {"name": "published", "epochs": 15}, ({}, {})),
        ("recipe", {"name": "matched, custom", "lr": [1e-5], "epochs": 3}, ({}, {"epochs": 3})),
        ("fixed_frames", True, ({}, {"fixed_frames": True})),
        ("precision", "bf16", ({}, {"precision": "bf16"})),
        ("recipe", None, ({}, {})),
    ],
)
def test_only_what_a_user_changed_is_called_changed(part, value, changed):
    config = {"method": "xmic", "preset": "official", "method_config": {}, "recipe": {"name": "published"}}
    settings, recipe = changes({**config, part: value}).values()
    assert (settings, recipe) == changed
