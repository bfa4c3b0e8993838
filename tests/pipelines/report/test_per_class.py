from __future__ import annotations

import numpy as np

from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.per_class import ClassRow, ClassTable, class_rows, within_rows
from tests.pipelines.evaluate.cards import METRICS


def test_classes_with_clips_stand_with_what_they_are_taken_for() -> None:
    truth, said = np.array([2, 0, 2, 2, 0]), np.array([2, 1, 0, 0, 0])
    found = class_rows(truth, said, ["cup", "pan", "jar"], ["novel", "", "supported"])
    assert found == [ClassRow("jar", "supported", 3, 1, "cup"), ClassRow("cup", "novel", 2, 1, "pan")]
    assert [round(row.accuracy, 1) for row in found] == [33.3, 50.0]


def test_a_class_without_a_mistake_names_none() -> None:
    assert class_rows(np.array([0]), np.array([0]), ["cup"], [""]) == [ClassRow("cup", "", 1, 1, "")]


def test_tables_are_kept_up_to_so_many_rows_and_the_others_are_counted() -> None:
    row = ClassRow("cup", "", 1, 1, "")
    metrics = Metrics.model_validate(METRICS)
    tables = [ClassTable(metrics, "noun", [row] * count) for count in (3, 2, 4, 1)]
    assert within_rows(tables, 5) == (tables[:2], 2)
    assert within_rows(tables, 1) == (tables[:1], 3)
    assert within_rows(tables, 10) == (tables, 0)
