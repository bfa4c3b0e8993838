"""Write hand boxes in the released form of EPIC-KITCHENS-100.

:mod:`pipelines.hands.hoa_message` reads this form.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from data_manifests.errors import InputError
from pipelines.hands.detector import Box

_NO_CONTACT, _PORTABLE_OBJECT = 0, 3


def encode_message(video_id: str, frame_number: int, boxes: Sequence[Box]) -> bytes:
    """Encode the boxes of one frame as a message.

    Fields that are zero are absent.

    Args:
        video_id: for instance 'P01_01'.
        frame_number: 1 for the first frame.
        boxes: hands with side, contact and offset, and objects.

    Raises:
        InputError: a hand without a side.
    """
    hands = [_field(3, _hand(box)) for box in boxes if box.kind == "hand"]
    objects = [_field(4, _numbered(_corners(box), box.score)) for box in boxes if box.kind == "object"]
    return _numbered(video_id.encode(), frame_number) + b"".join(hands + objects)


def _hand(box: Box) -> bytes:
    if box.side is None:
        raise InputError(f"{box}: expected a side; the released boxes have one for every hand")
    state = _PORTABLE_OBJECT if box.contact else _NO_CONTACT
    offset = _numbered(box.offset_x or 0.0, box.offset_y or 0.0)
    return _numbered(_corners(box), box.score, state, offset, int(box.side == "right"))


def _corners(box: Box) -> bytes:
    return _numbered(box.x0, box.y0, box.x1, box.y1)


def _numbered(*values: int | float | bytes) -> bytes:
    """Encode values as fields 1, 2, …"""
    return b"".join(_field(number, value) for number, value in enumerate(values, start=1))


def _field(number: int, value: int | float | bytes) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if value == 0:
        return b""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 5) + struct.pack("<f", value)


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])
