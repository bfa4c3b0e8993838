"""Writes detections in the wire format of epic-kitchens-100-hand-object-bboxes, with boxes of our own."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from pathlib import Path

Corners = tuple[float, float, float, float]


def varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def field(number: int, value: int | float | bytes) -> bytes:
    """A field; as in proto3, one that is zero is absent. An empty message is there."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if value == 0:
        return b""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 5) + struct.pack("<f", value)


def numbered(*values: int | float | bytes) -> bytes:
    """Fields 1, 2, …"""
    return b"".join(field(number, value) for number, value in enumerate(values, start=1))


def hand(
    corners: Corners, score: float = 0.9, state: int = 0, offset: tuple[float, float] = (0.0, 0.0), side: int = 0
) -> bytes:
    return numbered(numbered(*corners), score, state, numbered(*offset), side)


def thing(corners: Corners, score: float = 0.9) -> bytes:
    return numbered(numbered(*corners), score)


def message(video_id: str, number: int, hands: Sequence[bytes] = (), things: Sequence[bytes] = ()) -> bytes:
    boxes = [field(3, item) for item in hands] + [field(4, item) for item in things]
    return numbered(video_id.encode(), number) + b"".join(boxes)


def messages(video_id: str, count: int) -> list[bytes]:
    """One hand a frame, whose right edge says which: x1 = number / 1000."""
    return [message(video_id, n, [hand((0.0, 0.25, n / 1000, 0.75))]) for n in range(1, count + 1)]


def write(file: Path, entries: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(entries))
    return file
