"""What decode writes: frames, which clip takes which frame, and facts of the videos."""

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
"""One distinct frame, keyed (video_id, pts): pts in ticks of the video's time base, or the number of a JPEG;
``time_s`` seconds from the start of the video, null where the rate of the JPEGs is not known; sizes in pixels as
stored."""

CLIP_FRAMES = pa.schema(
    [
        ("clip_id", pa.string()),
        ("segment", pa.int16()),
        ("candidate", pa.int16()),
        ("video_id", pa.string()),
        ("pts", pa.int64()),
    ]
)
"""Which frame stands for a clip's candidate instant; instants without a frame have no row."""

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
"""What was found out of a video: displayed size in pixels, rotation in degrees, time base, how it was read ('gop',
'forward', 'frames' or 'tar') and why the faster way could not be taken; null where there is no such thing."""

FRAMES_LAYOUT = Layout(FRAMES, row_group=64, compression="none", plain=True)
SIDES = {
    "clip_frames": Layout(CLIP_FRAMES),
    "videos": Layout(VIDEO_FACTS),
    "failures": FAILURES_LAYOUT,
}
