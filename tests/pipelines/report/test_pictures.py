from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.report.pictures import add_picture, pictures

JPEG = to_jpeg(np.zeros((8, 8, 3), np.uint8), 90)


def test_pictures_are_shown_in_the_order_of_their_names(tmp_path: Path):
    assert pictures(tmp_path) == []
    add_picture(tmp_path, "b", JPEG, "second")
    add_picture(tmp_path, "a", JPEG, "first")
    found = pictures(tmp_path)
    assert [one.caption for one in found] == ["first", "second"]
    assert base64.b64decode(found[0].uri.removeprefix("data:image/jpeg;base64,")) == JPEG


def test_a_picture_is_replaced_and_one_without_a_caption_is_left_out(tmp_path: Path):
    add_picture(tmp_path, "a", JPEG, "old")
    add_picture(tmp_path, "a", JPEG, "new")
    (tmp_path / "pictures" / "b.jpg").write_bytes(JPEG)
    assert [one.caption for one in pictures(tmp_path)] == ["new"]
