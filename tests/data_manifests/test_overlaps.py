from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from data_manifests.overlaps import Overlap, overlaps
from data_manifests.schema import CLIPS

_Row = tuple[str, float, float | None, int | None]


def _clips(rows: Sequence[_Row]) -> pa.Table:
    """(video, start, stop, noun) of each clip; the verb is always 0."""
    fields: list[dict[str, Any]] = [
        {"clip_id": str(n), "video_id": video, "start_s": start, "stop_s": stop, "noun_class": noun, "verb_class": 0}
        for n, (video, start, stop, noun) in enumerate(rows)
    ]
    return pa.Table.from_pylist(fields, schema=CLIPS)


def _noun(rows: Sequence[_Row]) -> Overlap:
    return overlaps(_clips(rows))["noun"]


def test_two_clips_of_different_classes_count_both_and_their_common_time_twice() -> None:
    assert _noun([("a", 0, 4, 1), ("a", 3, 7, 2)]) == Overlap(2, 2 / 8)


def test_clips_of_one_class_may_overlap() -> None:
    assert _noun([("a", 0, 4, 1), ("a", 1, 5, 1), ("a", 2, 3, 1)]) == Overlap(0, 0.0)


def test_each_label_is_counted_by_itself() -> None:
    found = overlaps(_clips([("a", 0, 4, 1), ("a", 3, 7, 2)]))
    assert found["verb"] == Overlap(0, 0.0)
    assert found["noun"].clips == 2


def test_clips_of_other_videos_do_not_count() -> None:
    assert _noun([("a", 0, 4, 1), ("b", 0, 4, 2), ("c", 1, 3, 3)]) == Overlap(0, 0.0)


def test_clips_that_touch_do_not_overlap_even_with_the_noise_of_a_float() -> None:
    assert _noun([("a", 0, 0.1 + 0.2, 1), ("a", 0.3, 1, 2)]).clips == 0


def test_time_that_several_other_classes_cover_counts_once() -> None:
    assert _noun([("a", 0, 10, 1), ("a", 2, 5, 2), ("a", 4, 6, 3)]) == Overlap(3, (4 + 3 + 2) / 15)


def test_a_clip_inside_a_longer_one_that_began_much_earlier_is_seen() -> None:
    assert _noun([("a", 0, 100, 1), ("a", 10, 11, 1), ("a", 20, 21, 1), ("a", 90, 92, 2)]) == Overlap(2, 4 / 104)


def test_the_same_interval_with_two_classes_is_covered_wholly() -> None:
    assert _noun([("a", 5, 9, 1), ("a", 5, 9, 2)]) == Overlap(2, 1.0)


def test_clips_without_a_stop_or_a_label_are_left_out() -> None:
    assert _noun([("a", 0, None, 1), ("a", 0, 4, 2), ("a", 0, 4, None)]) == Overlap(0, 0.0)


def test_no_clip_at_all_is_no_overlap() -> None:
    assert overlaps(_clips([])) == {"noun": Overlap(0, 0.0), "verb": Overlap(0, 0.0)}


def _second_by_second(rows: Sequence[tuple[str, int, int, int]]) -> Overlap:
    """The same, counted second by second; times must be whole seconds."""
    shared = [
        sum(any(v == video and s <= second < e and c != noun for v, s, e, c in rows) for second in range(start, stop))
        for video, start, stop, noun in rows
    ]
    return Overlap(sum(seconds > 0 for seconds in shared), sum(shared) / sum(e - s for _, s, e, _ in rows))


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_counting_second_by_second(seed: int) -> None:
    draw = random.Random(seed)
    rows = []
    for _ in range(draw.randrange(1, 40)):
        start = draw.randrange(30)
        rows.append((draw.choice("ab"), start, start + draw.randrange(1, 12), draw.randrange(draw.choice([2, 4]))))
    expected = _second_by_second(rows)
    found = _noun(rows)
    assert found.clips == expected.clips
    assert found.share == pytest.approx(expected.share, abs=1e-12)


@pytest.mark.parametrize(("videos", "seconds"), [(6000, 300.0), (1, 8.0)], ids=["many videos", "all at once"])
def test_the_size_of_ego4d_is_counted_in_a_moment_however_the_clips_lie(videos: int, seconds: float) -> None:
    draw = random.Random(0)
    rows = []
    for _ in range(64_000):
        start = draw.uniform(0, seconds)
        rows.append((str(draw.randrange(videos)), start, start + 8, draw.randrange(500)))
    clips = _clips(rows)
    began = time.process_time()
    assert overlaps(clips)["noun"].clips > 20_000
    assert time.process_time() - began < 2
