from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packaged_models.hands import pictures as pictures_module
from packaged_models.hands.drawing.mesh import read_mesh
from packaged_models.hands.drawing.photographs import read_photographs
from packaged_models.hands.drawing.scene import draw_picture
from packaged_models.hands.pictures import DrawnPictures
from pipelines.engine.progress import Silent
from tests.packaged_models.hands.drawing.hand_file import write_hand
from tests.packaged_models.hands.drawing.photograph_folder import write_photographs


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_module, "A_FILE", 4)
    monkeypatch.setattr(pictures_module, "POCKET", 1)


def test_a_file_of_pictures_is_drawn_once_and_read_picture_by_picture(tmp_path: Path) -> None:
    hand = write_hand(tmp_path / "hand.glb")
    drawn = DrawnPictures(tmp_path, hand, 3, 2)
    for number in range(2):
        pictures_module._draw_file((drawn._file(number), hand, 3, number, None), lambda: None)
    drawn.draw(1, Silent())  # nothing is missing
    assert len(drawn) == 8
    assert drawn.names == ("left hand", "right hand")
    wanted = draw_picture(read_mesh(hand), 3, 5, 320)
    rgb, boxes, classes = drawn.read(5)
    assert rgb.shape == wanted.rgb.shape
    assert np.abs(rgb.astype(int) - wanted.rgb).mean() < 6
    assert np.allclose(boxes, np.array([one.box for one in wanted.hands]).reshape(-1, 4))
    assert [drawn.names[number] for number in classes] == [f"{one.side} hand" for one in wanted.hands]
    assert np.isnan(drawn.held(5)[:, 0]).tolist() == [one.held is None for one in wanted.hands]
    assert drawn.read(7)[0].shape == (192, 256, 3)


def test_with_photographs_other_pictures_are_drawn_into_a_folder_of_their_own(tmp_path: Path) -> None:
    hand = write_hand(tmp_path / "hand.glb")
    folder = write_photographs(tmp_path / "photographs")
    drawn = DrawnPictures(tmp_path, hand, 3, 1, folder)
    pictures_module._draw_file((drawn._file(0), hand, 3, 0, folder), lambda: None)
    wanted = draw_picture(read_mesh(hand), 3, 2, 320, read_photographs(folder))
    assert np.abs(drawn.read(2)[0].astype(int) - wanted.rgb).mean() < 6
    assert drawn._file(0).parent.name == f"pictures-3-photographs-{read_photographs(folder).digest}"
