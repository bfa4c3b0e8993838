from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError, UsageError
from pipelines.hands.crops import PAD_COLOUR, CropPolicy, crop, has_hand, union_box
from pipelines.hands.detector import Box

WIDTH, HEIGHT = 200, 100


def picture() -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([rows, columns, rows * 0 + 7], axis=2).astype(np.uint8)


def hand(x0: float, y0: float, x1: float, y1: float, score: float = 0.9) -> Box:
    return Box(x0, y0, x1, y1, score)


def touching(x0: float, y0: float, x1: float, y1: float, offset: tuple[float, float] | None, score: float = 0.9) -> Box:
    x, y = offset or (None, None)
    return Box(x0, y0, x1, y1, score, contact=True, offset_x=x, offset_y=y)


def thing(x0: float, y0: float, x1: float, y1: float, score: float, contact: bool | None) -> Box:
    return Box(x0, y0, x1, y1, score, kind="object", contact=contact)


def test_the_union_covers_all_hands_at_or_above_the_threshold() -> None:
    boxes = [hand(0.1, 0.5, 0.2, 0.9, 0.5), hand(0.6, 0.4, 0.8, 0.7), hand(0.0, 0.0, 1.0, 1.0, 0.49)]
    assert union_box(boxes, CropPolicy(hand_threshold=0.5), WIDTH, HEIGHT) == (0.1, 0.4, 0.8, 0.9)


def test_touched_objects_count_and_others_do_not() -> None:
    boxes = [
        hand(0.4, 0.4, 0.5, 0.5),
        thing(0.5, 0.4, 0.7, 0.5, 0.01, True),
        thing(0.0, 0.4, 0.1, 0.5, 0.009, True),
        thing(0.4, 0.0, 0.5, 0.1, 0.9, False),
        thing(0.4, 0.9, 0.5, 1.0, 0.9, None),
    ]
    assert union_box(boxes, CropPolicy(), WIDTH, HEIGHT) == (0.4, 0.4, 0.7, 0.5)


def test_an_object_without_a_hand_makes_no_crop() -> None:
    boxes = [hand(0.4, 0.4, 0.5, 0.5, 0.2), thing(0.5, 0.4, 0.7, 0.5, 0.9, True)]
    assert union_box(boxes, CropPolicy(), WIDTH, HEIGHT) is None


def test_a_touching_hand_takes_the_object_nearest_to_where_its_offset_points() -> None:
    near, there = thing(0.5, 0.4, 0.6, 0.5, 0.9, None), thing(0.0, 0.4, 0.1, 0.5, 0.02, None)
    box = touching(0.4, 0.4, 0.5, 0.5, (-0.35, 0.0))
    assert union_box([box, near, there], CropPolicy(), WIDTH, HEIGHT) == (0.0, 0.4, 0.5, 0.5)


def test_a_touching_hand_without_an_offset_takes_the_object_nearest_to_itself() -> None:
    near, far = thing(0.5, 0.4, 0.6, 0.5, 0.9, None), thing(0.0, 0.4, 0.1, 0.5, 0.9, None)
    box = touching(0.4, 0.4, 0.5, 0.5, None)
    assert union_box([box, far, near], CropPolicy(), WIDTH, HEIGHT) == (0.4, 0.4, 0.6, 0.5)


def test_of_equally_near_objects_the_first_counts() -> None:
    left, right = thing(0.25, 0.5, 0.375, 0.625, 0.9, None), thing(0.625, 0.5, 0.75, 0.625, 0.9, None)
    box = touching(0.4375, 0.5, 0.5625, 0.625, (0.0, 0.0))
    assert union_box([box, right, left], CropPolicy(), WIDTH, HEIGHT) == (0.4375, 0.5, 0.75, 0.625)


def test_a_touching_hand_where_no_object_was_found_counts_alone() -> None:
    boxes = [touching(0.4, 0.4, 0.5, 0.5, (0.1, 0.1)), thing(0.5, 0.5, 0.6, 0.6, 0.009, None)]
    assert union_box(boxes, CropPolicy(), WIDTH, HEIGHT) == (0.4, 0.4, 0.5, 0.5)


def test_a_hand_below_the_threshold_brings_no_object() -> None:
    boxes = [hand(0.4, 0.4, 0.5, 0.5), touching(0.0, 0.0, 0.1, 0.1, (0.0, 0.0), 0.79), thing(0, 0, 0.2, 0.2, 0.9, None)]
    assert union_box(boxes, CropPolicy(hand_threshold=0.8), WIDTH, HEIGHT) == (0.4, 0.4, 0.5, 0.5)


def test_an_object_that_is_said_not_to_be_touched_is_not_taken_for_the_hands() -> None:
    boxes = [touching(0.4, 0.4, 0.5, 0.5, (0.1, 0.0)), thing(0.5, 0.4, 0.6, 0.5, 0.9, False)]
    assert union_box(boxes, CropPolicy(), WIDTH, HEIGHT) == (0.4, 0.4, 0.5, 0.5)


def test_nothing_found_is_none() -> None:
    assert union_box([], CropPolicy(), WIDTH, HEIGHT) is None


def test_without_a_hand_that_counts_there_is_no_union_in_a_frame_of_any_size() -> None:
    policy = CropPolicy(hand_threshold=0.5)
    faint = [hand(0.1, 0.1, 0.9, 0.9, 0.49), thing(0.2, 0.2, 0.6, 0.6, 0.9, contact=True)]
    assert not has_hand(faint, policy)
    assert union_box(faint, policy, 10**6, 10**6) is None
    assert has_hand([*faint, hand(0.1, 0.1, 0.9, 0.9, 0.5)], policy)


def test_a_union_of_at_most_one_pixel_is_none() -> None:
    one_wide, wider = [hand(0.5, 0.2, 0.505, 0.9)], [hand(0.5, 0.2, 0.515, 0.9)]
    assert union_box(one_wide, CropPolicy(), WIDTH, HEIGHT) is None
    assert union_box(wider, CropPolicy(), WIDTH, HEIGHT) is not None
    assert union_box([hand(0.2, 0.5, 0.9, 0.51)], CropPolicy(), WIDTH, HEIGHT) is None


def test_center_fit_cuts_the_rectangle_out_and_leaves_it() -> None:
    cut = crop(picture(), (0.25, 0.5, 0.75, 0.9), CropPolicy())
    assert np.array_equal(cut, picture()[50:90, 50:150])


def test_the_margin_is_a_share_of_the_longer_side_on_every_side() -> None:
    cut = crop(picture(), (0.25, 0.4, 0.5, 0.6), CropPolicy(margin=0.1))
    assert np.array_equal(cut, picture()[35:65, 45:105])


def test_the_margin_ends_at_the_frame() -> None:
    cut = crop(picture(), (0.0, 0.8, 0.1, 1.0), CropPolicy(margin=0.5))
    assert np.array_equal(cut, picture()[70:100, 0:30])


def test_pad_fit_makes_a_square_with_the_crop_in_the_middle_of_clips_mean_colour() -> None:
    square = crop(picture(), (0.25, 0.5, 0.75, 0.9), CropPolicy(fit="pad"))
    assert square.shape == (100, 100, 3)
    assert np.array_equal(square[30:70], picture()[50:90, 50:150])
    assert (square[:30] == PAD_COLOUR).all()
    assert (square[70:] == PAD_COLOUR).all()


def test_pad_colour_is_about_zero_after_clips_normalisation() -> None:
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    assert np.abs((np.array(PAD_COLOUR) / 255 - mean) / std).max() < 0.01


@pytest.mark.parametrize("fit", ["center", "pad"])
def test_without_a_box_the_full_frame_is_left_as_it_is(fit: str) -> None:
    assert np.array_equal(crop(picture(), None, CropPolicy(fit=fit)), picture())  # type: ignore[arg-type]


@given(
    st.tuples(*[st.floats(0, 1)] * 4),
    st.floats(0, 2),
    st.sampled_from(["center", "pad"]),
    st.integers(1, 40),
    st.integers(1, 40),
)
@settings(max_examples=150, deadline=None)
def test_a_crop_is_never_empty_and_never_leaves_the_frame(
    corners: tuple[float, float, float, float], margin: float, fit: str, width: int, height: int
) -> None:
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    image = np.full((height, width, 3), 9, np.uint8)
    cut = crop(image, (x0, y0, x1, y1), CropPolicy(margin=margin, fit=fit))  # type: ignore[arg-type]
    assert min(cut.shape[:2]) >= 1
    assert max(cut.shape[:2]) <= max(width, height)
    assert (cut == 9).any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"hand_threshold": 1.5}, "hand_threshold is 1.5; it must lie in [0, 1]"),
        ({"object_threshold": -0.1}, "object_threshold is -0.1; it must lie in [0, 1]"),
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"fit": "square"}, "fit is 'square'; it must be 'center' or 'pad'"),
    ],
)
def test_a_policy_out_of_range_is_refused_with_its_value(options: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError) as error:
        CropPolicy(**options)  # type: ignore[arg-type]
    assert text in str(error.value)


def test_the_slug_names_all_that_changes_the_pixels() -> None:
    slugs = {
        CropPolicy().slug,
        CropPolicy(hand_threshold=0.8).slug,
        CropPolicy(object_threshold=0.5).slug,
        CropPolicy(margin=0.1).slug,
        CropPolicy(fit="pad").slug,
    }
    assert len(slugs) == 5
    assert CropPolicy(margin=0.1).slug == "h0.5-o0.01-m0.1-center"


@pytest.mark.parametrize(
    "policy", [CropPolicy(), CropPolicy(0.8, 0.25, 0.125, "pad"), CropPolicy(0.0, 1.0, 2.0, "center")]
)
def test_a_policy_is_found_again_by_its_folder_name(policy):
    assert CropPolicy.of_slug(policy.slug) == policy


@pytest.mark.parametrize("slug", ["", "full", "h0.5-o0.01-m0", "hx-o0.01-m0-pad", "h0.5-o0.01-m0-fill"])
def test_what_is_no_policy_is_refused(slug):
    with pytest.raises(InputError, match=r"expected a form such as h0\.5-o0\.01-m0-center"):
        CropPolicy.of_slug(slug)
