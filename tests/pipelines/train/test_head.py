from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.engine.machine import Machine
from pipelines.train import run as run_module
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from tests.pipelines.train.loop_world import Notes


@pytest.fixture
def train_without(embedded, monkeypatch):
    """Train nouns as if the first clips had no vectors: (clips without) → (result, notes)."""
    real = run_module.load_streams

    def train(lost):
        def lacking(*given):
            streams = real(*given)
            rows = {role: np.array(stream.index) for role, stream in streams.items()}
            for index in rows.values():
                index[:lost] = -1
            return {role: replace(stream, index=rows[role]) for role, stream in streams.items()}

        monkeypatch.setattr(run_module, "load_streams", lacking)
        planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1, "batch": 2}, label="noun"))
        notes = Notes()
        return train_run(embedded, planned, Machine(device="cpu"), notes)["heads"]["noun"], notes.texts

    return train


def test_clips_that_lack_frames_are_left_out_and_counted(train_without):
    summary, notes = train_without(2)
    assert (summary["clips"], summary["labelled"]) == (4, 6)
    assert "noun: training on 4 of 6 labelled clips; the others lack frames" in notes


def test_a_head_without_a_usable_clip_is_refused(train_without):
    with pytest.raises(InputError, match="noun: none of 6 labelled training clips has all its vectors"):
        train_without(6)


def test_warnings_are_said_and_kept_with_the_head(train_without):
    summary, notes = train_without(0)
    assert any(note.startswith("noun: 3 steps in all: under 200") for note in notes)
    assert any("move a weight by at most" in note for note in notes)
    # One epoch of warm-up learns nothing: the loss is that of equal scores, or it is not told.
    assert summary.get("warnings", []) == [
        note.removeprefix("noun: ") for note in notes if "ln " in note or "length" in note
    ]


def test_the_configuration_says_where_each_setting_comes_from(embedded):
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1, "batch": 2}, label="noun"))
    train_run(embedded, planned, Machine(device="cpu"), Notes())
    found = json.loads((planned.folder / "noun" / "config.json").read_text())["sources"]
    assert (found["epochs"], found["segments"]) == ("--set", "the protocol")
    assert found["head"] == "X-MIC's released code"
