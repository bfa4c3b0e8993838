"""Make a table of answers, one row per clip.

Columns: ``video``, ``start_s``, ``stop_s`` and ``name``. Then for each label ``<label>_is_none_of_these`` and, for each
answer by rank, ``<label>_1``, ``<label>_1_probability`` and ``<label>_1_score``. Last ``failed``, the reason why a clip
has no answer; its answers are null then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from data_manifests.schema import Label
from pipelines.predict.answer import ClipAnswers


def answer_table(clips: Iterable[ClipAnswers], ranks: Mapping[Label, int]) -> pa.Table:
    """Make the table of clips with their answers.

    Args:
        clips: the clips.
        ranks: answers per clip, by label.
    """
    schema = _schema(ranks)
    names = [field.name for field in schema]
    return pa.Table.from_pylist([dict(zip(names, _row(clip, ranks), strict=True)) for clip in clips], schema=schema)


def _schema(ranks: Mapping[Label, int]) -> pa.Schema:
    fields = [("video", pa.string()), ("start_s", pa.float64()), ("stop_s", pa.float64()), ("name", pa.string())]
    for label, count in ranks.items():
        fields.append((f"{label}_is_none_of_these", pa.bool_()))
        for rank in range(1, count + 1):
            fields += [
                (f"{label}_{rank}", pa.string()),
                (f"{label}_{rank}_probability", pa.float64()),
                (f"{label}_{rank}_score", pa.float64()),
            ]
    return pa.schema([*fields, ("failed", pa.string())])


def _row(clip: ClipAnswers, ranks: Mapping[Label, int]) -> list[Any]:
    row: list[Any] = [clip.video_id, clip.start_s, clip.stop_s, clip.name]
    for label, count in ranks.items():
        best = list(clip.answers.get(label, ()))
        row.append(None if clip.failed is not None else label in clip.none_of_these)
        row += [value for answer in best for value in (answer.name, answer.probability, answer.score)]
        row += [None] * (3 * (count - len(best)))
    return [*row, clip.failed]
