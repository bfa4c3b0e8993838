from __future__ import annotations

import json

import numpy as np
import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.engine.inspection import State, inspect
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import DatasetSettings
from pipelines.evaluate import epic
from pipelines.evaluate.clip_list import read_clip_list
from pipelines.evaluate.metrics_file import read_metrics
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.stage import EvaluateStage, evaluation_stage
from pipelines.evaluate.submission import Submission
from pipelines.evaluate.trained import find_run
from tests.pipelines.evaluate.scored import score
from tests.pipelines.run_configs import written_otherwise


def test_other_versions_are_warned_of_not_refused(trained):
    workspace, run = trained
    for file in run.folder.glob("*/config.json"):
        written_otherwise(file, lambda config: config["versions"].update(torch="1.0"))
    notes = []

    class Listening(Silent):
        def note(self, text):
            notes.append(text)

    evaluate(workspace, find_run(workspace, None), [("mine", "val")], Machine(device="cpu"), Listening())
    assert any("was trained with torch 1.0, here is " in text for text in notes)


def test_a_list_of_clips_holds_the_numbers_to_them_and_not_the_scores(trained, tmp_path):
    workspace, run = trained
    clips = read_rows(workspace.manifest("other", "val") / "clips.parquet").column("clip_id").to_pylist()
    file = tmp_path / "common.txt"
    file.write_text("\n".join(clips[:2]))
    listed = read_clip_list(file)
    notes = []

    class Listening(Silent):
        def note(self, text):
            notes.append(text)

    targets = [("mine", "train"), ("other", "val")]
    both = evaluate(workspace, run, targets, Machine(device="cpu"), Listening(), listed=listed)
    within, cross = (item.as_dict() for item in both)
    numbers = cross["labels"]["noun"]
    assert (numbers["n_evaluated"], numbers["n_official"]) == (2, 2)
    assert cross["clips_file"] == {"sha256": listed.sha256, "clips": 2}
    assert (within["clips_file"], within["labels"]["noun"]["n_official"]) == (None, 6)
    assert f"mine train: {file} lists no clip of it; evaluated on all of its clips" in notes
    rows = read_rows(workspace.root / "evaluations" / run.config["name"] / "other-val/predictions.parquet")
    assert rows.num_rows == 6
    (whole,) = score(workspace, run, [("other", "val")])
    assert (whole["clips_file"], whole["labels"]["noun"]["n_official"], whole["made"]) == (None, 6, 0)
    with pytest.raises(InputError, match="2 of 2 ids are no clip of what is evaluated"):
        score(workspace, run, [("mine", "train")], listed=listed)


def test_the_challenges_file_is_written_for_epic_alone(trained, tmp_path, monkeypatch):
    workspace, run = trained
    wanted = Submission(tmp_path / "out" / "test.json", (5, 0, 0))
    targets = [("mine", "val"), ("other", "val")]
    with pytest.raises(UsageError, match="none of mine, other is EPIC-KITCHENS-100"):
        score(workspace, run, targets, submission=wanted)
    assert not list((workspace.root / "evaluations").rglob("*")), "refused before anything is scored"
    settings = workspace.datasets["other"]
    workspace.datasets["other"] = DatasetSettings("epic", settings.roots, settings.groups)
    monkeypatch.setattr(epic, "CLASSES", {"noun": 4, "verb": 4})
    score(workspace, run, targets, submission=wanted)
    found = json.loads(wanted.file.read_text())
    rows = read_rows(workspace.root / "evaluations" / run.config["name"] / "other-val/predictions.parquet").to_pylist()
    assert list(found["results"]) == [row["clip_id"] for row in rows]
    first = found["results"][rows[0]["clip_id"]]
    assert list(first["noun"].values()) == pytest.approx(rows[0]["noun_scores"], abs=1e-4)
    best = f"{np.argmax(rows[0]['verb_scores'])},{np.argmax(rows[0]['noun_scores'])}"
    assert next(iter(first["action"])) == best
    file = tmp_path / "clips.txt"
    file.write_text(rows[0]["clip_id"])
    with pytest.raises(UsageError, match="--submission with --clips: the challenge wants every clip"):
        score(workspace, run, targets, submission=wanted, listed=read_clip_list(file))


def test_the_metrics_say_how_each_interval_was_found(trained):
    workspace, run = trained
    (item,) = evaluate(workspace, run, [("mine", "val")], Machine(device="cpu"), Silent())
    written = json.loads((item.folder / "metrics.json").read_text())["intervals"]["noun top1"]
    numbers = read_metrics(item.folder / "metrics.json").labels["noun"]
    assert (written["low"], written["high"]) == item.metrics.interval(numbers)
    assert written["kind"] == numbers.interval_kind


def test_an_evaluation_by_the_rule_before_is_out_of_date(trained, monkeypatch):
    workspace, run = trained
    with monkeypatch.context() as before:
        before.setattr(EvaluateStage, "version", 2)
        score(workspace, run, [("mine", "val")])
    stage = evaluation_stage(workspace, run, "mine", "val")
    found = inspect(stage, stage.units()[0])
    assert (found.state, found.why) == (State.STALE, "written by evaluate version 2, now evaluate version 3")
    (again,) = score(workspace, run, [("mine", "val")])
    assert again["made"] == 1
