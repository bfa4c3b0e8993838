from __future__ import annotations

import numpy as np

from pipelines.report.per_class import ClassRow, class_rows


def test_classes_with_clips_stand_with_what_they_are_taken_for() -> None:
    truth, said = np.array([2, 0, 2, 2, 0]), np.array([2, 1, 0, 0, 0])
    found = class_rows(truth, said, ["cup", "pan", "jar"], ["novel", "", "supported"])
    assert found == [ClassRow("jar", "supported", 3, 1, "cup"), ClassRow("cup", "novel", 2, 1, "pan")]
    assert [round(row.accuracy, 1) for row in found] == [33.3, 50.0]


def test_a_class_without_a_mistake_names_none() -> None:
    assert class_rows(np.array([0]), np.array([0]), ["cup"], [""]) == [ClassRow("cup", "", 1, 1, "")]
