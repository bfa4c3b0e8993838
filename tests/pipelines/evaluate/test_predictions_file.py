from __future__ import annotations

import numpy as np

from pipelines.engine.shard_writer import PartWriter
from pipelines.evaluate.predictions_file import (
    labelled_scores,
    predictions_layout,
    predictions_table,
    score_matrix,
)
from tests.pipelines.manifest_clips import clips


def test_a_row_has_its_class_and_the_scores_of_all_classes_and_no_class_is_null():
    three = clips(["a", "b", "c"], {"noun": [0, 1, -1]}, videos=["v", "v", "w"])
    table = predictions_table(three, np.array([2, 1]), {"noun": np.array([[1, 2], [3, 4]], np.float32)})
    assert table.schema == predictions_layout(["noun"], {"noun": 2}).schema
    assert table.to_pylist() == [
        {"clip_id": "c", "video_id": "w", "noun_class": None, "noun_scores": [1.0, 2.0]},
        {"clip_id": "b", "video_id": "v", "noun_class": 1, "noun_scores": [3.0, 4.0]},
    ]


def test_scores_of_the_clips_with_a_label_are_read_back(tmp_path):
    three = clips(["a", "b", "c"], {"noun": [0, 1, -1]}, videos=["v", "v", "w"])
    scores = np.array([[1, 2], [3, 4]], np.float32)
    table = predictions_table(three, np.array([2, 1]), {"noun": scores})
    np.testing.assert_array_equal(score_matrix(table, "noun"), scores)
    assert score_matrix(table.slice(0, 0), "noun").shape == (0, 2)
    part = PartWriter(tmp_path / "predictions.parquet", predictions_layout(["noun"], {"noun": 2}))
    part.write(table)
    part.finish()
    part.commit()
    found = labelled_scores(tmp_path / "predictions.parquet", "noun")
    assert (found.clip_ids, found.truth.tolist(), found.scores.tolist()) == (["b"], [1], [[3, 4]])
