"""Decode the released EPIC-KITCHENS-100 detections of one frame.

They are a protocol buffer (proto3) of 100DOH boxes.

Its fields, after the schema of epic-kitchens-100-hand-object-bboxes::

    Detections       1 video_id   2 frame_number   3 repeated HandDetection   4 repeated ObjectDetection
    HandDetection    1 bbox   2 score   3 state (0 no contact)   4 object_offset   5 side (0 left, 1 right)
    ObjectDetection  1 bbox   2 score
    BBox             1 left   2 top   3 right   4 bottom, floats in [0, 1]
    FloatVector      1 x   2 y, floats

A field that is zero or empty is absent; a field that the schema does not have is skipped.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from data_manifests.errors import InputError
from pipelines.hands.detector import Box

_Fields = dict[int, list[Any]]
_Value = TypeVar("_Value", int, float, bytes)

_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True)
class FrameDetections:
    """Detections of one frame, as decoded from a message.

    Attributes:
        video_id: the video's id in the message.
        frame_number: 1 for the first frame.
        boxes: hands, then objects, each in the order of the message. A hand's contact is False for the state 'no
            contact' and True for any other; an object has none.
    """

    video_id: str
    frame_number: int
    boxes: list[Box]


def decode_message(message: bytes) -> FrameDetections:
    """Decode the message of one frame.

    Raises:
        InputError: the message is cut off or not of this schema, or a box is not normalised.
    """
    fields = _fields(message)
    hands = [_hand(_fields(part)) for part in _all(fields, 3)]
    objects = [_object(_fields(part)) for part in _all(fields, 4)]
    video_id = _last(fields, 1, b"").decode(errors="replace")
    return FrameDetections(video_id, _last(fields, 2, 0), hands + objects)


def _hand(fields: _Fields) -> Box:
    side = _last(fields, 5, 0)
    if side >= len(_SIDES):
        raise InputError(f"a hand has side {side}; expected 0 (left) or 1 (right)")
    offset = _fields(_last(fields, 4, b""))
    return Box(
        *_corners(fields),
        _last(fields, 2, 0.0),
        _SIDES[side],
        contact=_last(fields, 3, 0) != 0,
        offset_x=_last(offset, 1, 0.0),
        offset_y=_last(offset, 2, 0.0),
    )


def _object(fields: _Fields) -> Box:
    return Box(*_corners(fields), _last(fields, 2, 0.0), kind="object")


def _corners(fields: _Fields) -> tuple[float, float, float, float]:
    bbox = _fields(_last(fields, 1, b""))
    return _last(bbox, 1, 0.0), _last(bbox, 2, 0.0), _last(bbox, 3, 0.0), _last(bbox, 4, 0.0)


def _all(fields: _Fields, number: int) -> list[bytes]:
    values = fields.get(number, [])
    for value in values:
        _check_type(value, number, bytes)
    return values


def _last(fields: _Fields, number: int, absent: _Value) -> _Value:
    """Return the value of a field, or ``absent`` (of the same type) where the field is missing."""
    if number not in fields:
        return absent
    value = fields[number][-1]
    _check_type(value, number, type(absent))
    return value


def _check_type(value: Any, number: int, expected: type) -> None:
    if type(value) is not expected:
        raise InputError(
            f"field {number} is of type {type(value).__name__}, expected {expected.__name__}: "
            "not the released schema (the raw one has boxes in pixels)"
        )


def _fields(data: bytes) -> _Fields:
    """Parse the fields: number → values in order, each int, float or bytes by its wire type."""
    fields: _Fields = {}
    position = 0
    try:
        while position < len(data):
            tag, position = _varint(data, position)
            wire = tag & 7
            value: Any
            if wire == _VARINT:
                value, position = _varint(data, position)
            elif wire == _FOUR_BYTES:
                (value,) = struct.unpack_from("<f", data, position)
                position += 4
            elif wire == _SIZED:
                size, position = _varint(data, position)
                value, position = data[position : position + size], position + size
            elif wire == _EIGHT_BYTES:
                (value,) = struct.unpack_from("<d", data, position)
                position += 8
            else:
                raise InputError(f"wire type {wire} at byte {position}; not a protocol buffer")
            if position > len(data):
                raise InputError(f"cut off after {len(data)} bytes")
            fields.setdefault(tag >> 3, []).append(value)
    except (IndexError, struct.error):
        raise InputError(f"cut off after {len(data)} bytes") from None
    return fields


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise InputError(f"a number of more than 10 bytes before byte {position}; not a protocol buffer")
