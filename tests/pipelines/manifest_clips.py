"""Clips as a manifest has them, without a manifest: for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from data_manifests.schema import CLIPS, LABELS, Label
from pipelines.engine.clips import Clips


def clips(
    ids: Sequence[str],
    labels: Mapping[Label, Sequence[int]],
    videos: Sequence[str] | None = None,
    recordings: Sequence[str] | None = None,
    participants: Sequence[str | None] | None = None,
    nouns: Sequence[Sequence[int]] | None = None,
) -> Clips:
    """Every clip a video and a recording of its own unless said otherwise; a class of −1 is none."""
    columns = {
        "clip_id": ids,
        "video_id": videos or ids,
        "recording_id": recordings or ids,
        "participant_id": participants or [None] * len(ids),
        "all_noun_classes": nouns or [[] for _ in ids],
    }
    for label in LABELS:
        columns[f"{label}_class"] = [None if of < 0 else of for of in labels.get(label, [-1] * len(ids))]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    table = pa.Table.from_pylist(rows, schema=CLIPS)
    return Clips(lambda names: table.select(list(names)))
