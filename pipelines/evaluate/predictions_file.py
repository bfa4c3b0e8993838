"""Write and read ``predictions.parquet``, one row per scored clip.

A row holds the scores of all classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.schema import LABELS, Label
from pipelines.engine.clips import Clips, clips_footer
from pipelines.engine.shards import Layout, read_footer, read_rows
from pipelines.engine.workspace import Workspace

SCORE = "score"
"""Stage in the footer of predictions that were given to ``xmic score``; a run's predictions have 'evaluate'."""

SCORE_VERSION = 2

GIVEN = "files"
"""Input in the footer with the digest of the given files. Later calls do not have these files, so they compare the
other inputs only."""


def manifest_inputs(workspace: Workspace, dataset: str, split: str) -> dict[str, str]:
    """Read the digests of a split's clips and of the classes.

    They are the inputs that given scores are written with.
    """
    inputs = {"clips": clips_footer(workspace, dataset, split).digest}
    for label in LABELS:
        inputs[f"{label} classes"] = read_footer(workspace.classes_file(dataset, label)).digest
    return inputs


def predictions_layout(labels: Sequence[Label], counts: Mapping[Label, int]) -> Layout:
    """Lay out the columns: one score per class of the target.

    Args:
        labels: those that are scored.
        counts: label → classes of the target.
    """
    fields = [("clip_id", pa.string()), ("video_id", pa.string())]
    for label in labels:
        fields += [(f"{label}_class", pa.int32()), (f"{label}_scores", pa.list_(pa.float32(), counts[label]))]
    return Layout(pa.schema(fields), row_group=1024, plain=True)


def predictions_table(clips: Clips, rows: np.ndarray, scores: Mapping[Label, np.ndarray]) -> pa.Table:
    """Build rows of the file.

    Args:
        clips: of the split.
        rows: int64 [R], which of them are scored.
        scores: label → float32 [R, C].
    """
    columns: dict[str, Any] = {
        "clip_id": [clips.clip_ids[row] for row in rows],
        "video_id": [clips.video_ids[row] for row in rows],
    }
    for label, values in scores.items():
        truth = clips.labels[label][rows]
        columns[f"{label}_class"] = pa.array(truth, pa.int32(), mask=truth < 0)
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), pa.float32())
        columns[f"{label}_scores"] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    counts = {label: values.shape[1] for label, values in scores.items()}
    return pa.table(columns, schema=predictions_layout(list(scores), counts).schema)


def score_matrix(rows: pa.Table, label: Label) -> np.ndarray:
    """Return the scores of some rows of the file, float32 [R, C]."""
    column = rows.column(f"{label}_scores").combine_chunks()
    matrix: np.ndarray = column.flatten().to_numpy().reshape(rows.num_rows, column.type.list_size)
    return matrix


@dataclass(frozen=True, eq=False)
class LabelledScores:
    """Scores of the K clips in a file that carry a label.

    Clips are in the order of the file.

    Attributes:
        clip_ids: K ids.
        truth: the class of each, int [K].
        scores: float32 [K, C].
    """

    clip_ids: list[str]
    truth: np.ndarray
    scores: np.ndarray


def labelled_scores(file: Path, label: Label) -> LabelledScores:
    """Read all scores of one label that a file holds.

    Clips without the label are left out. The clips to evaluate play no part.

    Raises:
        DamagedShard: the file is damaged on disk.
    """
    rows = read_rows(file, ["clip_id", f"{label}_class", f"{label}_scores"])
    rows = rows.filter(rows.column(f"{label}_class").is_valid())
    truth = rows.column(f"{label}_class").to_numpy()
    return LabelledScores(rows.column("clip_id").to_pylist(), truth, score_matrix(rows, label))
