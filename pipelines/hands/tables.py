"""What hand detection writes: one row a frame with its raw boxes."""

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
"""One frame, keyed (video_id, pts), with every box there is (a detector's from a score of 0.01 on): corners as
shares of the frame's width and height, side 'left' or 'right' or null, kind 'hand' or 'object', contact null where
unknown, offset from a hand's centre to that of what it touches, null where unknown. Thresholds are applied later, by
the crop policy."""

HANDS_LAYOUT = Layout(HANDS)
SIDES = {"failures": FAILURES_LAYOUT}
