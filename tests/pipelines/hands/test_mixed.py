"""Boxes by different detectors are found before anything is trained on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.hands.mixed import warnings_of_boxes, warnings_of_run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path)
    for dataset, detector in (("epic", "epic-100doh"), ("epic", "yolo-a"), ("ego4d", "yolo-b"), ("egtea", "yolo-a")):
        found.hands(dataset, "val", "seg16", detector).mkdir(parents=True)
    return found


def test_a_dataset_that_shares_no_detector_is_named_with_both(workspace):
    (told,) = warnings_of_boxes(workspace, [("epic", "yolo-a")])
    assert told.startswith("the boxes of epic are by epic-100doh and yolo-a, those of ego4d by yolo-b.")
    assert "--allow-mixed" in told


def test_boxes_that_the_same_call_makes_count(workspace):
    assert warnings_of_boxes(workspace, [("epic", "yolo-c"), ("ego4d", "yolo-c"), ("egtea", "yolo-c")]) == []


def test_a_first_dataset_has_nothing_to_be_compared_with(tmp_path):
    assert warnings_of_boxes(Workspace(tmp_path), [("epic", "yolo-a")]) == []


def test_a_run_is_compared_by_its_own_detector(workspace):
    assert ["those of ego4d by yolo-b" in told for told in warnings_of_run(workspace, "egtea", "yolo-a")] == [True]
    assert len(warnings_of_run(workspace, "epic", "epic-100doh")) == 2
