from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_manifests.errors import InputError
from packaged_models.hands.drawing.backgrounds import paste_thing, random_background
from packaged_models.hands.drawing.photographs import Photographs, read_photographs
from pocket_kitchens.drawing.layers import Layer
from tests.packaged_models.hands.drawing.photograph_folder import write_photographs


def test_opaque_pictures_are_scenes_and_the_others_are_things(tmp_path: Path) -> None:
    found = read_photographs(write_photographs(tmp_path / "some"))
    assert sorted(scene.shape for scene in found.scenes) == [(90, 160, 3), (150, 80, 3)]
    [thing] = found.things
    assert thing.rgba.shape == (40, 60, 4)
    assert thing.rgba[20, 30].tolist() == [255, 0, 0, 255]


def test_large_ones_are_kept_small(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "some")
    cv2.imwrite(str(folder / "wide.jpg"), np.zeros((900, 1600), np.uint8))
    assert (450, 800, 3) in [scene.shape for scene in read_photographs(folder).scenes]


@pytest.mark.parametrize("size", [(48, 64), (300, 400), (64, 36), (5, 7)])
def test_a_part_of_a_scene_fills_a_background(size: tuple[int, int]) -> None:
    ramp = np.tile(np.linspace(60, 200, 160).astype(np.uint8)[None, :, None], (90, 1, 3))
    photographs = Photographs((ramp,), (), "ramp")
    made = [photographs.scene(np.random.default_rng(number), *size) for number in range(20)]
    assert all((one.shape, one.dtype) == ((*size, 3), np.float32) for one in made)
    assert min(one.min() for one in made) >= 59  # no edge shows
    assert len({one.tobytes() for one in made}) == 20
    directions = {bool(one[:, -1].mean() > one[:, 0].mean()) for one in made}
    assert directions == {True, False}  # mirrored or not


def test_half_of_the_backgrounds_show_a_scene_and_half_of_the_things_are_photographs() -> None:
    green = np.full((40, 40, 3), (0, 255, 0), np.uint8)
    red = np.zeros((9, 9, 4), np.uint8)
    red[:] = (255, 0, 0, 255)
    photographs = Photographs((green,), (Layer(red, red[..., 3].copy()),), "two")
    backgrounds = [random_background(np.random.default_rng(n), 32, 48, photographs) for n in range(100)]
    pure = [(one[..., 1] - np.maximum(one[..., 0], one[..., 2]) > 180).mean() for one in backgrounds]
    assert 35 < sum(share > 0.05 for share in pure) < 65
    things = 0
    for number in range(100):
        canvas = np.zeros((64, 64, 3), np.uint8)
        paste_thing(canvas, np.random.default_rng(number), 0.4, 0.5, photographs)
        things += bool((canvas.reshape(-1, 3).max(axis=0) == (255, 0, 0)).all())
    assert 30 < things < 65


def test_contents_count_and_names_do_not(tmp_path: Path) -> None:
    first, second = write_photographs(tmp_path / "first"), write_photographs(tmp_path / "second")
    (second / "tall.png").rename(second / "zoo.png")
    (second / "again.jpg").symlink_to(second / "wide.jpg")
    one, same = read_photographs(first), read_photographs(second)
    assert (one.digest, len(one)) == (same.digest, len(same))
    assert all(np.array_equal(*pair) for pair in zip(one.scenes, same.scenes, strict=True))
    other = write_photographs(tmp_path / "other")
    (other / "wide.jpg").write_bytes((other / "wide.jpg").read_bytes() + b"\0")
    assert read_photographs(other).digest != one.digest


def test_folders_that_do_not_serve_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: no such folder"):
        read_photographs(tmp_path / "none")
    with pytest.raises(InputError, match=r"has no photographs \(.jpg"):
        read_photographs(tmp_path)
    folder = write_photographs(tmp_path / "some")
    (folder / "things" / "disc.png").unlink()
    with pytest.raises(InputError, match="no pictures with transparency"):
        read_photographs(folder)
    (folder / "wide.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"wide.jpg: not a readable picture"):
        read_photographs(folder)
    deep = write_photographs(tmp_path / "deep")
    cv2.imwrite(str(deep / "tall.png"), np.zeros((9, 9, 3), np.uint16))
    with pytest.raises(InputError, match=r"tall.png: not a readable picture of 8 bits"):
        read_photographs(deep)
