"""Tables that decode writes: frames, frames of clips, and facts of videos."""

from __future__ import annotations

import pyarrow as pa

from pipelines.engine.shards import FAILURES_LAYOUT, Layout

FRAMES = pa.schema(
    [
        ("video_id", pa.string()),
        ("pts", pa.int64()),
        ("time_s", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("jpeg", pa.binary()),
    ]
)
"""One distinct frame per row, with the key (video_id, pts).

``pts`` is in ticks of the video's time base, or the number of a JPEG. ``time_s`` is in seconds from the start of the
video, null where the frame rate of the JPEGs is not known. ``width`` and ``height`` are those of the stored JPEG, in
pixels.
"""

CLIP_FRAMES = pa.schema(
    [
        ("clip_id", pa.string()),
        ("segment", pa.int16()),
        ("candidate", pa.int16()),
        ("video_id", pa.string()),
        ("pts", pa.int64()),
    ]
)
"""The frame of each candidate instant of a clip; instants without a frame have no row."""

VIDEO_FACTS = pa.schema(
    [
        ("video_id", pa.string()),
        ("codec", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("rotation", pa.int32()),
        ("time_base_numerator", pa.int64()),
        ("time_base_denominator", pa.int64()),
        ("first_pts", pa.int64()),
        ("duration_s", pa.float64()),
        ("average_rate", pa.float64()),
        ("read_mode", pa.string()),
        ("fallback", pa.string()),
    ]
)
"""Facts of a video, one per row; null where a fact does not apply.

``width`` and ``height`` are the displayed size in pixels, ``rotation`` is in degrees. ``read_mode`` is 'gop',
'forward', 'frames' or 'tar'. ``fallback`` is the reason why the faster mode could not be used.
"""

FRAMES_LAYOUT = Layout(FRAMES, row_group=64, compression="none", plain=True)
SIDES = {
    "clip_frames": Layout(CLIP_FRAMES),
    "videos": Layout(VIDEO_FACTS),
    "failures": FAILURES_LAYOUT,
}
