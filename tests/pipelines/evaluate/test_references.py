from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluate.references import references_of
from tests.pipelines.evaluate.hand_made import scored, vocabulary

# Classes 0 and 1 are shared, 1 with most training clips; 2 and 3 are novel, 3 is the target's most frequent one.
SPLIT = vocabulary([[0], [1], [], []], [2, 6, 0, 0])
CLIPS = scored(np.zeros((6, 4)), [0, 1, 1, 3, 3, 3], ["x", "x", "y", "y", "z", "z"])


def percents(found, name):
    parts = {part: of.restricted and of.restricted.percent for part, of in found[name].parts.items() if of}
    return found[name].percent, parts["shared"], parts["novel"]


def test_each_reference_reaches_what_counting_gives() -> None:
    found = references_of(CLIPS, SPLIT, cross=True, zero_shot=False)
    assert percents(found, "chance") == (25.0, 50.0, 50.0)
    assert percents(found, "source_majority") == (pytest.approx(100 / 3), pytest.approx(200 / 3), None)
    assert percents(found, "target_majority") == (50.0, pytest.approx(200 / 3), 100.0)
    assert found["zero_shot_prior"] is None
    assert {name: of.oracle for name, of in found.items() if of} == {
        "chance": False,
        "source_majority": False,
        "target_majority": True,
    }


def test_they_carry_their_recordings_as_the_method_does() -> None:
    found = references_of(CLIPS, SPLIT, cross=True, zero_shot=False)
    assert found["source_majority"].recordings == {"x": (1, 2), "y": (1, 2), "z": (0, 2)}
    assert found["chance"].recordings["x"] == (0.5, 2)


def test_the_prior_of_the_source_decides_between_equal_scores_and_is_outweighed_by_better_ones() -> None:
    clips = scored([[0, 0, 0, 0], [0, 0, 0, 9]], [1, 3])
    assert references_of(clips, SPLIT, cross=True, zero_shot=True)["zero_shot_prior"].percent == 100
    # log(7/12) − log(1/12) = 1.95: a lead of 1 is not enough for a class without training clips.
    clips = scored([[0, 0, 0, 1], [0, 0, 0, 2]], [3, 3])
    assert references_of(clips, SPLIT, cross=True, zero_shot=True)["zero_shot_prior"].percent == 50


@pytest.mark.parametrize("unknown", [None, vocabulary([[0], [1], [], []], None)])
def test_without_the_sources_training_clips_only_what_needs_none_is_given(unknown) -> None:
    found = references_of(CLIPS, unknown, cross=True, zero_shot=True)
    assert {name for name, of in found.items() if of} == {"chance", "target_majority"}


def test_within_the_dataset_there_are_no_parts() -> None:
    found = references_of(CLIPS, vocabulary([[0], [1], [2], [3]], [0, 1, 0, 3]), cross=False, zero_shot=False)
    assert "parts" not in found["chance"].model_fields_set
    assert found["source_majority"].percent == 50
