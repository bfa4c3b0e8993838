from __future__ import annotations

import pytest

from data_manifests.errors import InputError
from pipelines.hands.detector import Box
from pipelines.hands.hoa_message import decode_message
from pocket_kitchens.hoa_write import encode_message


def test_what_is_written_is_read_back() -> None:
    boxes = [
        Box(0.0, 0.25, 0.5, 0.75, 0.875, "left", contact=False, offset_x=0.0, offset_y=0.0),
        Box(0.5, 0.0, 1.0, 1.0, 1.0, "right", contact=True, offset_x=-0.125, offset_y=0.25),
        Box(0.25, 0.25, 0.375, 0.5, 0.5, kind="object"),
    ]
    found = decode_message(encode_message("P01_01", 300, boxes))
    assert (found.video_id, found.frame_number, found.boxes) == ("P01_01", 300, boxes)
    assert decode_message(encode_message("P01_01", 1, [])).boxes == []


def test_a_hand_without_a_side_can_not_be_written() -> None:
    with pytest.raises(InputError, match="expected a side"):
        encode_message("P01_01", 1, [Box(0, 0, 1, 1, 1.0)])
