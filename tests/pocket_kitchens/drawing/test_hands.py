from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.hands import HandLook, HandPicture, draw_fingers, draw_hand, hand_look

LOOK = HandLook(skin=(200, 150, 120), sleeve=(40, 60, 160), glove=None, slim=1.0)
BARE = HandLook(skin=(200, 150, 120), sleeve=None, glove=None, slim=1.0)
GRIPS = [0.0, 0.4, 0.7, 1.0]


def solid(picture: HandPicture) -> np.ndarray:
    return picture.rgba[..., 3] > 127


def height(picture: HandPicture) -> float:
    return picture.box[3] - picture.box[1]


@pytest.mark.parametrize("draw", [draw_hand, draw_fingers])
def test_the_left_hand_mirrors_the_right_with_anchor_and_box(draw) -> None:
    right, left = draw("right", LOOK, 0.5, 0.3, 20, 40), draw("left", LOOK, 0.5, 0.3, -20, 40)
    width = right.rgba.shape[1]
    x0, y0, x1, y1 = right.box
    assert np.array_equal(left.rgba, right.rgba[:, ::-1])
    assert left.anchor == pytest.approx((width - right.anchor[0], right.anchor[1]))
    assert left.box == pytest.approx((width - x1, y0, width - x0, y1))


@pytest.mark.parametrize("grip", GRIPS)
def test_the_box_fits_the_hand_tightly_above_the_wrist(grip: float) -> None:
    picture = draw_hand("right", BARE, grip, 0.5, 0, 40)
    x0, y0, x1, y1 = picture.box
    # The arm hangs straight down here, narrower than the hand: what is above the box's lower edge is hand.
    rows, columns = np.nonzero(solid(picture)[: int(y1)])
    assert (columns.min(), rows.min()) == pytest.approx((x0, y0), abs=1.5)
    assert columns.max() + 1 == pytest.approx(x1, abs=1.5)


@pytest.mark.parametrize("angle", [-40, 0, 40])
def test_the_box_leaves_the_forearm_out(angle: float) -> None:
    picture = draw_hand("right", LOOK, 0.5, 0.5, angle, 40)
    _, y0, _, y1 = picture.box
    assert y1 - y0 < 2.6 * 40
    below = solid(picture)[int(y1) + 1 :]
    assert below.any(axis=1).sum() > 2.5 * 40


@pytest.mark.parametrize("angle", [-40, 0, 40])
@pytest.mark.parametrize("grip", GRIPS)
def test_the_anchor_lies_inside_the_box(grip: float, angle: float) -> None:
    picture = draw_hand("left", LOOK, grip, 0.5, angle, 40)
    x0, y0, x1, y1 = picture.box
    assert x0 < picture.anchor[0] < x1
    assert y0 < picture.anchor[1] < y1


def test_a_positive_angle_brings_either_arm_from_below_right() -> None:
    for side in ("left", "right"):
        picture = draw_hand(side, LOOK, 0.5, 0.5, 30, 40)
        lowest = np.nonzero(solid(picture).any(axis=1))[0].max() - 20
        assert np.nonzero(solid(picture)[lowest])[0].mean() > picture.box[2]


def test_a_fist_is_shorter_than_an_open_hand() -> None:
    heights = [height(draw_hand("right", LOOK, grip, 0.5, 0, 40)) for grip in GRIPS]
    assert heights[-1] < 0.75 * heights[0]
    assert heights == sorted(heights, reverse=True)


def test_spread_fingers_make_a_wider_hand() -> None:
    closed, spread = (draw_hand("right", LOOK, 0.0, spread, 0, 40).box for spread in (0.0, 1.0))
    assert spread[2] - spread[0] > 1.1 * (closed[2] - closed[0])


@pytest.mark.parametrize("scale", [10, 40, 80])
def test_the_palm_is_as_wide_as_the_scale_says(scale: float) -> None:
    picture = draw_hand("right", BARE, 0.0, 0.0, 0, scale)
    # Between the ball of the thumb and the knuckles the row below the knuckles is palm alone.
    rows = solid(picture).sum(axis=1)[int(picture.box[1]) : int(picture.box[3])]
    knuckles = rows[int(0.42 * len(rows)) : int(0.5 * len(rows))]
    assert np.median(knuckles) == pytest.approx(scale, rel=0.35)


@pytest.mark.parametrize("grip", [0.4, 0.7, 1.0])
def test_fingers_fit_over_the_hand_on_the_same_canvas(grip: float) -> None:
    hand, fingers = (draw("right", LOOK, grip, 0.5, 25, 40) for draw in (draw_hand, draw_fingers))
    assert fingers.rgba.shape == hand.rgba.shape
    assert (fingers.anchor, fingers.box) == (hand.anchor, hand.box)
    above_wrist = solid(hand)[: int(hand.box[3])]
    assert solid(fingers).sum() > 0.1 * above_wrist.sum()
    assert not (solid(fingers) & ~solid(hand)).any()


@pytest.mark.parametrize("grip", [0.4, 0.7, 1.0])
def test_fingers_hide_a_good_part_of_a_thing_at_the_anchor(grip: float) -> None:
    fingers = draw_fingers("right", LOOK, grip, 0.5, 25, 40)
    rows, columns = np.indices(fingers.rgba.shape[:2])
    thing = np.hypot(columns - fingers.anchor[0], rows - fingers.anchor[1]) < 0.6 * 40
    assert 0.3 < solid(fingers)[thing].mean() < 0.7


def test_an_open_hand_has_only_its_thumb_in_front() -> None:
    open_hand, grip = (solid(draw_fingers("right", LOOK, grip, 0.5, 0, 40)).sum() for grip in (0.0, 0.5))
    assert 0 < open_hand < 0.6 * grip


def test_the_same_arguments_give_the_same_bytes() -> None:
    for draw in (draw_hand, draw_fingers):
        first, second = (draw("right", hand_look(7), 0.6, 0.2, 10, 33) for _ in range(2))
        assert first.rgba.tobytes() == second.rgba.tobytes()


def test_looks_cover_light_and_dark_skin_evenly() -> None:
    looks = [hand_look(seed) for seed in range(200)]
    luminance = np.array([np.dot(look.skin, (0.299, 0.587, 0.114)) for look in looks])
    assert luminance.min() <= 60
    assert luminance.max() >= 220
    assert np.histogram(luminance, bins=4, range=(40, 228))[0].min() >= 30


def test_three_of_four_wear_sleeves_and_few_gloves() -> None:
    looks = [hand_look(seed) for seed in range(400)]
    assert 0.65 < np.mean([look.sleeve is not None for look in looks]) < 0.85
    assert 0.01 < np.mean([look.glove is not None for look in looks]) < 0.1
    assert all(0.85 <= look.slim <= 1.15 for look in looks)


def test_a_glove_hides_the_skin_of_the_hand() -> None:
    gloved = draw_hand("right", HandLook((200, 150, 120), (40, 60, 160), (20, 200, 20), 1.0), 0.0, 0.5, 0, 40)
    x0, y0, x1, _ = (int(edge) for edge in gloved.box)
    hand = gloved.rgba[y0 : y0 + 60, x0:x1]
    seen = hand[hand[..., 3] == 255].astype(int)
    assert (seen[:, 1] > seen[:, 0]).mean() > 0.99
