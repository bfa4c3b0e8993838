from __future__ import annotations

from typing import Any

import pytest

from pipelines.engine.clips import read_clips
from pipelines.engine.workspace import Workspace
from pipelines.report.shown_models import Model, answers_of, pictures_of
from pipelines.report.timeline import MOST_VIDEOS, Timeline, timelines
from tests.pipelines.kitchen_world import SEGMENTS, Kitchen
from tests.pipelines.report.answered_world import models


@pytest.fixture
def drawn(kitchen: Kitchen) -> tuple[Workspace, list[Model], Timeline]:
    workspace = Workspace.open(kitchen.work)
    shown = models(workspace)
    [line] = timelines(workspace, shown)  # b.mp4 has two clips only
    return workspace, shown, line


def pieces(lane: Any) -> list[Any]:
    return sorted((piece for row in lane.rows for piece in row), key=lambda piece: (piece.left, piece.width))


def test_clips_lie_at_their_times_and_do_not_overlap_in_a_row(drawn: tuple[Workspace, list[Model], Timeline]) -> None:
    _, shown, line = drawn
    times = sorted((start, stop) for video, start, stop in SEGMENTS if video == "a.mp4")
    assert (line.video_id.startswith("a"), line.clips, line.seconds) == (True, len(times), 2.0)
    lanes = [lane for lane in line.lanes if lane.title != "hands"]
    assert len(lanes) == 2 * (1 + len(shown))
    for lane in lanes:
        found = [(piece.left, piece.width) for piece in pieces(lane)]
        assert sum(found, ()) == pytest.approx(
            [edge for start, stop in times for edge in (50 * start, 50 * (stop - start))]
        )
        for row in lane.rows:
            ends = [piece.left + piece.width for piece in row]
            assert all(end <= after.left + 1e-3 for end, after in zip(ends, row[1:], strict=False))


def test_truth_and_answers_are_those_of_the_predictions(drawn: tuple[Workspace, list[Model], Timeline]) -> None:
    workspace, shown, line = drawn
    clips = read_clips(workspace, line.target.dataset, line.target.split)
    inside = [clip for clip, video in zip(clips.clip_ids, clips.video_ids, strict=True) if video == line.video_id]
    for label in ("noun", "verb"):
        truth = next(lane for lane in line.lanes if lane.title == f"{label}, truth")
        assert {piece.text for piece in pieces(truth)} == {{"noun": "bread", "verb": "cut"}[label]}
        for model in shown:
            lane = next(lane for lane in line.lanes if lane.title == f"{label}, {model.title}")
            answers = answers_of(model.on[line.target][1], label)
            found = [piece.right for piece in pieces(lane)]
            assert sorted(found) == sorted(answers.right(clip) for clip in inside)
            assert all(piece.right == (piece.text == {"noun": "bread", "verb": "cut"}[label]) for piece in pieces(lane))


def test_the_lane_of_hands_is_that_of_the_boxes(drawn: tuple[Workspace, list[Model], Timeline]) -> None:
    workspace, shown, line = drawn
    assert pictures_of(workspace, shown, line.target) is not None
    lane = line.lanes[-1]
    assert lane.title == "hands"
    assert {piece.kind for piece in pieces(lane)} == {"hand"}  # the table has a box for every tenth of a second
    assert sum(piece.width for piece in pieces(lane)) > 80


def test_videos_with_few_clips_have_no_timeline_and_the_same_answers_give_the_same_one(
    answered: Workspace, drawn: tuple[Workspace, list[Model], Timeline]
) -> None:
    assert timelines(answered, models(answered)) == []
    workspace, shown, line = drawn
    assert timelines(workspace, shown) == [line]
    assert MOST_VIDEOS >= 1
    assert line.ticks[0] == (0.0, "0:00")
    assert line.ticks[-1] == (100.0, "0:02")
