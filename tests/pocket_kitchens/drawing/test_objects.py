from __future__ import annotations

import itertools
import re
import time

import cv2
import numpy as np
import pytest

from data_manifests.errors import UsageError
from pocket_kitchens.drawing.objects import KINDS, draw_object, is_container, natural_size

SIZE = 64


@pytest.fixture(scope="module")
def first_instances() -> dict[str, np.ndarray]:
    return {kind: draw_object(kind, 0, SIZE) for kind in KINDS}


def extent(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(picture[..., 3] > 60)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_there_are_enough_plain_nouns_for_two_kitchens_and_seventy_more() -> None:
    assert len(KINDS) >= 110
    assert len(set(KINDS)) == len(KINDS)
    assert [kind for kind in KINDS if not re.fullmatch(r"[a-z]+( [a-z]+)?", kind)] == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_instance_fills_its_picture_in_the_middle_and_leaves_the_corners_empty(seed: int) -> None:
    wrong = []
    for kind in KINDS:
        picture = draw_object(kind, seed, SIZE)
        left, top, right, bottom = extent(picture)
        longer = max(right - left, bottom - top) / SIZE
        off_centre = max(abs(left + right - SIZE), abs(top + bottom - SIZE)) / 2
        corners = picture[[0, 0, -1, -1], [0, -1, 0, -1], 3]
        share = (picture[..., 3] > 60).mean()
        if not (0.88 <= longer <= 0.96 and off_centre <= 2.5 and corners.max() == 0 and share > 0.03):
            wrong.append((kind, longer, off_centre, corners.tolist(), share))
    assert wrong == []


def test_a_picture_is_rgba_bytes_with_smooth_edges_of_the_things_own_colour() -> None:
    picture = draw_object("egg", 0, SIZE)
    assert picture.shape == (SIZE, SIZE, 4)
    assert picture.dtype == np.uint8
    edge = (picture[..., 3] > 40) & (picture[..., 3] < 215)
    assert edge.sum() > 20
    # Straight alpha: a half-covered pixel is as bright as the contour, not mixed with the black of the empty canvas.
    inside = picture[picture[..., 3] == 255][:, :3].astype(float)
    assert picture[edge][:, :3].mean() > 0.5 * inside.mean()


def test_the_same_arguments_give_the_same_bytes_whatever_was_drawn_between() -> None:
    for kind in KINDS[::9]:
        before = draw_object(kind, 5, SIZE).tobytes()
        draw_object("cup", 6, 32)
        assert draw_object(kind, 5, SIZE).tobytes() == before


def test_no_two_of_five_instances_of_a_kind_are_alike() -> None:
    for kind in KINDS:
        assert len({draw_object(kind, seed, 32).tobytes() for seed in range(5)}) == 5, kind


def test_instances_differ_in_proportions_and_not_only_in_colour() -> None:
    sides = []
    for seed in range(12):
        left, top, right, bottom = extent(draw_object("mug", seed, SIZE))
        sides.append((right - left) / (bottom - top))
    assert max(sides) / min(sides) > 1.15


def test_kinds_differ_by_shape_or_by_inner_detail_and_not_only_by_colour(
    first_instances: dict[str, np.ndarray],
) -> None:
    """Silhouettes that cover each other to 97 % are allowed when the edges inside them fall elsewhere."""
    masks, edges = {}, {}
    for kind, picture in first_instances.items():
        masks[kind] = picture[..., 3] > 127
        grey = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2GRAY)
        strength = cv2.GaussianBlur(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), (0, 0), 1.5)
        inner = cv2.erode(masks[kind].astype(np.uint8), np.ones((9, 9), np.uint8))
        edges[kind] = (strength * inner).astype(float)
    alike = []
    for one, other in itertools.combinations(KINDS, 2):
        overlap = (masks[one] & masks[other]).sum() / (masks[one] | masks[other]).sum()
        if overlap > 0.97:
            same_detail = np.corrcoef(edges[one].ravel(), edges[other].ravel())[0, 1]
            if same_detail > 0.8:
                alike.append((one, other, overlap, same_detail))
    assert alike == []


def test_sizes_are_in_dinner_plates() -> None:
    assert natural_size("plate") == 1.0
    assert natural_size("egg") < natural_size("cup") < natural_size("plate") < natural_size("fridge")
    assert all(0.2 <= natural_size(kind) <= 1.6 for kind in KINDS)


def test_what_has_a_lid_or_a_door_opens_and_a_spoon_does_not() -> None:
    assert all(is_container(kind) for kind in ("jar", "pot", "box", "bottle", "drawer", "fridge", "microwave", "oven"))
    assert not any(is_container(kind) for kind in ("spoon", "plate", "knife", "carrot", "tap"))


def test_an_unknown_kind_is_answered_with_the_nearest_one() -> None:
    for ask in (
        lambda: draw_object("tomatoe", 0, SIZE),
        lambda: natural_size("tomatoe"),
        lambda: is_container("tomatoe"),
    ):
        with pytest.raises(UsageError, match="no kind of object 'tomatoe'. Did you mean 'tomato'"):
            ask()


def test_an_object_is_drawn_in_a_few_milliseconds() -> None:
    draw_object("cup", 0, 96)
    started = time.process_time()
    for kind in KINDS:
        draw_object(kind, 1, 96)
    # Two to three are usual; the bound leaves room for a busy machine.
    assert (time.process_time() - started) / len(KINDS) < 0.008
