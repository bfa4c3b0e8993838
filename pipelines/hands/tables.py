"""Tables that hand detection writes: raw boxes, one row per frame."""

from __future__ import annotations

import pyarrow as pa

from pipelines.engine.shards import FAILURES_LAYOUT, Layout

BOX = pa.struct(
    [
        ("x0", pa.float32()),
        ("y0", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("score", pa.float32()),
        ("side", pa.string()),
        ("kind", pa.string()),
        ("contact", pa.bool_()),
        ("offset_x", pa.float32()),
        ("offset_y", pa.float32()),
    ]
)
HANDS = pa.schema([("video_id", pa.string()), ("pts", pa.int64()), ("boxes", pa.list_(BOX))])
"""One frame, keyed (video_id, pts), with all its boxes (of a detector those with a score of at least 0.01). Corners are
shares of the frame's width and height; side is 'left', 'right' or null; kind is 'hand' or 'object'. The offset goes
from a hand's centre to the centre of what it touches. Contact and offset are null where unknown. Thresholds are applied
later, by the crop policy."""

HANDS_LAYOUT = Layout(HANDS)
SIDES = {"failures": FAILURES_LAYOUT}
