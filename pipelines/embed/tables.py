"""Layouts of raw vectors of frames, clips and class names."""

from __future__ import annotations

import pyarrow as pa

from pipelines.engine.shards import FAILURES_LAYOUT, Layout

SIDES = {"failures": FAILURES_LAYOUT}


def frame_vectors(dim: int) -> Layout:
    """Return the layout of frame vectors.

    One row per frame, keyed (video_id, pts): ``vector`` float16 [dim], raw (after the projection, not
    normalised); ``whole_frame`` true where the hand stream found no hand and took the full frame.
    """
    schema = pa.schema(
        [
            ("video_id", pa.string()),
            ("pts", pa.int64()),
            ("whole_frame", pa.bool_()),
            ("vector", pa.list_(pa.float16(), dim)),
        ]
    )
    return Layout(schema, row_group=4096, compression="none", plain=True)


def clip_vectors(dim: int) -> Layout:
    """Return the layout of clip vectors.

    One row per draw of a clip, keyed (clip_id, draw): ``vector`` float16 [dim], raw. Its frames are the draw-th
    candidates of their segments.
    """
    schema = pa.schema([("clip_id", pa.string()), ("draw", pa.int16()), ("vector", pa.list_(pa.float16(), dim))])
    return Layout(schema, row_group=4096, compression="none", plain=True)


def text_vectors(dim: int) -> Layout:
    """Return the layout of class-name vectors.

    One row per class: ``vector`` float32 [dim], raw.
    """
    schema = pa.schema(
        [
            ("class_id", pa.int32()),
            ("name", pa.string()),
            ("text", pa.string()),
            ("vector", pa.list_(pa.float32(), dim)),
        ]
    )
    return Layout(schema, compression="none", plain=True)
