from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.hands.crops import CropPolicy, union_box
from pipelines.hands.hoa_message import decode_message
from tests.pipelines.hands.hoa_files import field, hand, message, numbered, thing

REAL = Path(__file__).resolve().parents[3] / "../shared/data/epic100/hoa_sample_P01_09_frame13404.json"
BOX = (0.125, 0.25, 0.5, 0.75)


def test_hands_come_with_side_contact_and_offset_and_objects_with_neither() -> None:
    found = decode_message(message("P90_01", 7, [hand(BOX, 0.5, 3, (0.25, -0.5), 1)], [thing(BOX, 0.25)]))
    assert (found.video_id, found.frame_number) == ("P90_01", 7)
    right, held = found.boxes
    assert (right.x0, right.y0, right.x1, right.y1, right.score) == (*BOX, 0.5)
    assert (right.kind, right.side, right.contact, right.offset_x, right.offset_y) == (
        "hand",
        "right",
        True,
        0.25,
        -0.5,
    )
    assert (held.kind, held.side, held.contact, held.offset_x, held.score) == ("object", None, None, None, 0.25)


def test_what_is_zero_is_absent_and_means_left_no_contact_and_the_edge_of_the_frame() -> None:
    (left,) = decode_message(message("P90_01", 1, [hand((0.0, 0.0, 0.5, 0.5), 0.75)])).boxes
    assert (left.x0, left.y0, left.side, left.contact) == (0.0, 0.0, "left", False)
    assert (left.offset_x, left.offset_y) == (0.0, 0.0)


def test_a_frame_without_boxes_has_none() -> None:
    assert decode_message(message("P90_01", 300)).boxes == []


@pytest.mark.parametrize("state", [1, 2, 3, 4])
def test_every_state_but_no_contact_is_contact(state: int) -> None:
    assert decode_message(message("P90_01", 1, [hand(BOX, state=state)])).boxes[0].contact is True


def test_fields_the_schema_does_not_have_are_skipped() -> None:
    eight_bytes = bytes([10 << 3 | 1]) + struct.pack("<d", 2.5)
    more = field(9, 300) + eight_bytes + field(11, b"later") + field(12, 0.5)
    assert decode_message(more + message("P90_01", 1, [hand(BOX) + more])).boxes[0].score == pytest.approx(0.9)


def test_a_message_cut_off_anywhere_is_refused_or_is_a_shorter_one() -> None:
    head, box = message("P90_01", 300), field(3, hand(BOX))
    lengths = {0: 0, len(message("P90_01", 0)): 0, len(head): 0, len(head + box): 1}
    whole = head + box + box
    for length in range(len(whole)):
        if length in lengths:
            assert len(decode_message(whole[:length]).boxes) == lengths[length]
        else:
            with pytest.raises(InputError, match="cut off"):
                decode_message(whole[:length])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x0b", "wire type 3"),
        (b"\x10" + b"\xff" * 12, "more than 10 bytes"),
        (message("P90_01", 1, [hand(BOX, side=2)]), "side 2; expected 0"),
        (message("P90_01", 1, [hand((0.5, 0.0, 0.25, 0.5))]), "Not a normalised box"),
        (message("P90_01", 1, [hand((0.1, 0.0, 0.25, float("nan")))]), "Not a normalised box"),
        (field(3, 5), "field 3 is of type int, expected bytes"),
    ],
)
def test_what_is_no_such_message_is_refused_with_what_was_found(data: bytes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        decode_message(data)


def test_the_raw_schema_in_pixels_is_not_taken_for_the_released_one() -> None:
    raw_box = numbered(numbered(10, 20), 100, 50)
    with pytest.raises(InputError, match="field 1 is of type bytes, expected float: not the released schema"):
        decode_message(message("P90_01", 1, [numbered(raw_box, 0.9)]))


@pytest.mark.skipif(not REAL.is_file(), reason="the official files are not here")
def test_the_real_frame_matches_both_hands_to_what_they_hold() -> None:
    real = json.loads(REAL.read_text())
    sides = ("left", "top", "right", "bottom")
    hands = [
        hand(
            tuple(item["bbox"][name] for name in sides),
            item["score"],
            item["state"],
            (item["object_offset"]["x"], item["object_offset"]["y"]),
            item["side"],
        )
        for item in real["hands"]
    ]
    things = [thing(tuple(item["bbox"][name] for name in sides), item["score"]) for item in real["objects"]]
    found = decode_message(message(real["video_id"], real["frame_number"], hands, things))
    assert [box.side for box in found.boxes] == ["left", "right", None, None]
    left, right, large, small = found.boxes
    policy = CropPolicy(hand_threshold=0.8)
    # The left hand holds the large object, the right one the small one: both are inside what the four cover.
    assert union_box([left, large, small], policy, 456, 256) == (left.x0, large.y0, large.x1, large.y1)
    assert union_box([right, large, small], policy, 456, 256) == (small.x0, small.y0, right.x1, right.y1)
    union = union_box(found.boxes, policy, 456, 256)
    assert union == pytest.approx((0.3947, 0.2969, 0.8180, 0.8711), abs=1e-4)
