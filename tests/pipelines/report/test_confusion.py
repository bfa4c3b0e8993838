from __future__ import annotations

import json

import numpy as np

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.predictions_file import LabelledScores
from pipelines.report.confusion import CLASSES, LISTED, MOST, OTHER, Confusion, confusion, confusion_values, confusions
from tests.pipelines.report.answered_world import evaluations


def _counted(truth: list[int], said: list[int], classes: int = 4, names: list[str] | None = None) -> Confusion:
    ids = [f"clip-{number:03d}" for number in range(len(truth))]
    scored = LabelledScores(ids, np.array(truth), np.zeros((len(truth), classes), np.float32))
    return confusion("a title", "noun", scored, np.array(said), names or [f"class {n}" for n in range(classes)])


def test_rows_are_the_classes_with_most_clips_and_columns_the_answers() -> None:
    found = _counted([2, 2, 2, 0, 0, 1], [2, 0, 0, 0, 3, 1])
    assert found.names == ["class 2", "class 0", "class 1"]
    assert found.counts.tolist() == [[1, 2, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    assert found.counts.sum() == 6
    assert found.left_out == 0
    assert found.clips[0, 1] == [("clip-001", "class 0"), ("clip-002", "class 0")]
    assert found.clips[1, 3] == [("clip-004", "class 3")]


def test_rarer_classes_are_left_out_and_counted() -> None:
    truth = [number for number in range(CLASSES + 5) for _ in range(2)]
    found = _counted([*truth, 0], [*truth, 0], CLASSES + 5)
    assert len(found.names) == CLASSES
    assert found.names[0] == "class 0"
    assert found.left_out == 10
    assert found.counts.shape == (CLASSES, CLASSES + 1)


def test_a_cell_lists_its_first_clips_only() -> None:
    found = _counted([0] * 30, [1] * 30)
    assert found.counts[0].tolist() == [0, 30]
    assert [clip for clip, _ in found.clips[0, 1]] == [f"clip-{number:03d}" for number in range(LISTED)]


def test_values_name_a_clip_once_and_the_answers_outside_the_matrix() -> None:
    found = _counted([0, 0, 1], [1, 3, 1], names=["cup", "pan", "jar", ""])
    values = confusion_values([found, found])
    assert values["clips"] == ["clip-000", "clip-001", "clip-002"]
    assert values["answers"] == [""]
    assert values["other"] == OTHER
    first, second = values["evaluations"]
    assert first == second
    assert first["names"] == ["cup", "pan"]
    assert first["cells"] == [[0, 1, 1, [0, -1]], [0, 2, 1, [1, 0]], [1, 1, 1, [2, -1]]]
    json.dumps(values)  # plain values


def test_matrices_of_one_method_are_named_by_what_tells_their_runs_apart(answered: Workspace) -> None:
    plain = evaluations(answered)
    changed = {"name": "other", "changed_recipe": {"epochs": 9}}
    again = [
        (one.model_copy(update={"run": one.run.model_copy(update=changed), "apart": {"segments": 8}}), folder)
        for one, folder in plain
        if one.run.method == "xmic"
    ]
    titles = [one.title for one in confusions(answered, [*plain, *again])]
    assert "zero-shot, mine → mine val" in titles
    assert "xmic official (epochs=9; segments=8), mine → other val" in titles
    assert len(set(titles)) == 6


def test_the_order_of_the_clips_in_the_file_does_not_matter() -> None:
    scores = np.zeros((3, 4), np.float32)
    truth, said, ids = np.array([0, 0, 1]), np.array([1, 1, 1]), ["b", "a", "c"]
    one = confusion("t", "noun", LabelledScores(ids, truth, scores), said, ["w", "x", "y", "z"])
    turned = LabelledScores(ids[::-1], truth[::-1], scores)
    assert confusion("t", "noun", turned, said[::-1], ["w", "x", "y", "z"]).clips == one.clips


def test_a_page_has_only_so_many_matrices_and_counts_the_others() -> None:
    values = confusion_values([_counted([0], [0])] * (MOST + 2))
    assert (len(values["evaluations"]), values["more"]) == (MOST, 2)
