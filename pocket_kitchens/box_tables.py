"""Write the true hand boxes of a domain as one table.

``--detector boxes`` reads the table. It has the same form for both domains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine.atomic import replace_atomically
from pocket_kitchens.drawing.spec import HandBox
from pocket_kitchens.truth import boxes_of

_TYPES = pa.schema(
    [
        ("video", pa.string()),
        ("time_s", pa.float64()),
        *((name, pa.float64()) for name in ("x0", "y0", "x1", "y1", "score")),
        ("side", pa.string()),
        ("kind", pa.string()),
        ("contact", pa.bool_()),
    ]
)


def table_path(folder: Path, domain: str) -> Path:
    """Return the path of a domain's table.

    The file has the same name in every domain, so that the crops of both domains count as made alike.
    """
    return folder / "boxes" / domain / "hand_boxes.parquet"


def write_part(folder: Path, domain: str, video: str, truth: Sequence[Sequence[HandBox]], fps: int) -> None:
    """Write the boxes of one video, one row per box.

    A frame without boxes has one row without corners.

    Args:
        folder: the world's folder.
        domain: name of the domain.
        video: the name that the dataset's reader gives the video.
        truth: the hands of each frame.
        fps: frames per second.
    """
    rows: list[dict[str, Any]] = []
    for number, hands in enumerate(truth):
        place = {"video": video, "time_s": number / fps}
        boxes = boxes_of(hands)
        for box in boxes:
            values = {"x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1, "score": box.score}
            # The form has no offsets: a held thing is written as touched.
            touched = True if box.kind == "object" else box.contact
            rows.append({**place, **values, "side": box.side, "kind": box.kind, "contact": touched})
        if not boxes:
            rows.append(place)
    with replace_atomically(_part(folder, domain, video)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_TYPES), temporary)


def join_parts(folder: Path, domain: str, videos: Iterable[str]) -> None:
    """Join the boxes of all videos of a domain in its table."""
    with replace_atomically(table_path(folder, domain)) as temporary:
        pq.write_table(pa.concat_tables([pq.read_table(_part(folder, domain, video)) for video in videos]), temporary)


def _part(folder: Path, domain: str, video: str) -> Path:
    return table_path(folder, domain).parent / ".parts" / f"{video}.parquet"
