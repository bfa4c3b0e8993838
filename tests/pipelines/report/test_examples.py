from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import ClipsFile
from pipelines.evaluate.options import Control
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.report.collect import collect
from pipelines.report.examples import CHANGES, MOST, Example, examples
from pipelines.report.per_class import class_tables
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


@pytest.fixture
def evaluated(embedded: Workspace) -> Workspace:
    """X-MIC and zero-shot on the same stream, within and across."""
    for method, settings in (
        ("zero-shot", {}),
        ("xmic", {"epochs": 30, "batch": 6, "warmup_epochs": 0, "lr": 0.02, "head_relu": False, "scale": 20.0}),
    ):
        planned = plan_run(embedded, TrainOptions("mine", method, set=settings, classify="hand"))
        train_run(embedded, planned, Machine(device="cpu"), Silent())
        run = find_run(embedded, planned.name)
        evaluate(embedded, run, [("mine", "val"), ("other", "val")], Machine(device="cpu"), Silent())
    return embedded


def found_in(workspace: Workspace) -> list[Example]:
    collected = collect(workspace)
    return examples(workspace, list(zip(collected.evaluations, collected.folders, strict=True)))


def answers(workspace: Workspace, method: str, target: str, label: str) -> dict[str, tuple[int, int]]:
    (file,) = (workspace.root / "evaluations").glob(f"{method}-*/{target}/predictions.parquet")
    rows = read_rows(file).to_pylist()
    return {r["clip_id"]: (r[f"{label}_class"], int(np.argmax(r[f"{label}_scores"]))) for r in rows}


def test_every_example_is_a_clip_whose_answer_became_right_or_wrong(evaluated: Workspace) -> None:
    found = found_in(evaluated)
    assert found
    assert len(found) <= MOST
    for item in found:
        target = item.target.replace(" ", "-")
        truth, old = answers(evaluated, "zero-shot", target, item.label)[item.clip_id]
        _, new = answers(evaluated, "xmic", target, item.label)[item.clip_id]
        assert (old == truth, new == truth) == ((False, True) if item.change == CHANGES[0] else (True, False))
        assert (item.before[0][0] == item.truth, item.after[0][0] == item.truth) == (old == truth, new == truth)
        assert sum(share for _, share in item.after) <= 100.0001
        assert [share for _, share in item.after] == sorted((share for _, share in item.after), reverse=True)


def test_its_frames_and_hand_crops_are_small_jpegs(evaluated: Workspace) -> None:
    shots = [shot for item in found_in(evaluated) for shot in item.shots]
    assert shots
    assert any(shot.crop is None for shot in shots)
    assert any(shot.crop for shot in shots)
    for uri in (uri for shot in shots for uri in (shot.frame, shot.crop) if uri):
        head, data = uri.split(",")
        assert head == "data:image/jpeg;base64"
        assert max(from_jpeg(base64.b64decode(data)).shape[:2]) <= 256


def test_the_same_evaluations_give_the_same_examples(evaluated: Workspace) -> None:
    assert found_in(evaluated) == found_in(evaluated)


def test_without_frames_the_answers_are_still_shown(evaluated: Workspace) -> None:
    (evaluated.root / "frames").rename(evaluated.root / "gone")
    found = found_in(evaluated)
    assert found
    assert all(item.shots == () for item in found)


def test_a_control_s_answers_are_not_shown_as_the_run_s(evaluated: Workspace) -> None:
    before = found_in(evaluated)
    [xmic] = {item.run for item in before}
    targets = [("mine", "val"), ("other", "val")]
    cpu = Machine(device="cpu")
    evaluate(evaluated, find_run(evaluated, xmic), targets, cpu, Silent(), control=Control("shuffled"))
    assert found_in(evaluated) == before


def test_evaluations_held_to_a_list_of_clips_give_no_examples_and_no_classes(evaluated: Workspace) -> None:
    collected = collect(evaluated)
    held = ClipsFile(sha256="ab", clips=2)
    listed = [metrics.model_copy(update={"clips_file": held}) for metrics in collected.evaluations]
    assert class_tables(evaluated, list(zip(collected.evaluations, collected.folders, strict=True)))
    assert class_tables(evaluated, list(zip(listed, collected.folders, strict=True))) == []
    assert examples(evaluated, list(zip(listed, collected.folders, strict=True))) == []


def test_without_zero_shot_beside_it_there_is_nothing_to_compare(evaluated: Workspace) -> None:
    for folder in (evaluated.root / "evaluations").glob("zero-shot-*"):
        folder.rename(Path(str(evaluated.root / folder.name)))
    assert found_in(evaluated) == []
