"""What a container states is compared with what its data holds, and what is missing is never filled up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.reader import open_video
from pipelines.decode.source import LostFrame
from pipelines.decode.stated import Statement
from pipelines.decode.video_source import VideoSource
from pipelines.engine.clips import Clip

PLAN = FramePlan(segments=10, candidates=1, short_side=0)
FPS = 30
WHOLE = [
    "h264.mp4",
    "h264_vfr.mp4",
    "h264_late.mp4",
    "h264_late.mkv",
    "h264_open.mkv",
    "h264_open.ts",
    "h264.avi",
    "mpeg4.avi",
    "mjpeg.avi",
    "vp9.webm",
    "av1.mp4",
    "lone.mp4",
]
STATING = ["h264.mp4", "h264_open.mkv", "h264.avi", "vp9.webm"]


def clip(start_s: float, stop_s: float | None) -> Clip:
    return Clip("c", start_s, stop_s)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_lacks_nothing(video: Callable[[str], Path], kind: str) -> None:
    with open_video(video(kind)) as reader:
        assert reader.lacking is None


def test_frames_hidden_by_an_edit_list_are_not_lacking(video, video_maker, tmp_path: Path) -> None:
    video_maker.shift_video(video("h264.mp4"), tmp_path / "cut.mp4", -0.5)
    with open_video(tmp_path / "cut.mp4") as reader:
        assert reader.lacking is None


@pytest.mark.parametrize("kind", STATING)
def test_a_clip_that_goes_to_the_end_of_a_cut_off_file_fails_with_both_numbers(
    video, video_maker, tmp_path: Path, kind: str
) -> None:
    cut = tmp_path / f"cut{Path(kind).suffix}"
    video_maker.truncate(video(kind), cut, 0.7)
    with VideoSource(cut, 0.0, lambda: None) as source:
        chosen = source.choose(clip(0.0, None), PLAN)
        assert (chosen.pts == NO_FRAME).all()
        (failure,) = chosen.failures
        assert (failure.reason, failure.rows) == ("incomplete", 10)
        assert "the file states 2.000 s" in failure.error
        assert "its data ends at 1." in failure.error

        inside = source.choose(clip(0.0, 0.5), PLAN)
        assert inside.failures == []
        numbers = [frame for frame in source.frames(inside.pts.flat, PLAN) if not isinstance(frame, LostFrame)]
        assert len(numbers) == 10

        late = source.choose(clip(0.0, 2.0), PLAN)
        assert late.failures[0].reason == "past_end"
        assert "the file states 2.000 s" in late.failures[0].error


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("kind", ["h264.mp4", "hevc.mp4", "h264_open.mkv", "h264_open.ts", "h264.avi", "mpeg4.mp4"])
def test_behind_the_cut_no_earlier_frame_stands_in(video, video_maker, tmp_path: Path, kind: str, share: float) -> None:
    cut = tmp_path / f"cut{Path(kind).suffix}"
    video_maker.truncate(video(kind), cut, share)
    with open_video(cut) as reader:
        chosen = reader.select(np.arange(60) / FPS)
        there = chosen.pts[~chosen.past_end & ~chosen.missing]
        for frame in reader.frames(there):
            assert video_maker.read_number(frame.rgb) == round(frame.time_s * FPS)
        # MPEG-TS states no length. A clip may pass the last frame by less than the length of one.
        assert len(there) - len(set(there.tolist())) <= kind.endswith(".ts")


@pytest.mark.parametrize(("kind", "frames"), [("h264_plain.avi", 60), ("mjpeg.avi", 30), ("refresh.mp4", 60)])
def test_a_damaged_last_frame_is_missing_and_not_the_one_before(
    video, video_maker, tmp_path: Path, kind: str, frames: int
) -> None:
    bad = tmp_path / kind
    video_maker.damage(video(kind), bad, [frames - 1])
    with open_video(bad) as reader:
        chosen = reader.select(np.arange(frames) / FPS)
        assert not chosen.past_end.any()
        read = list(reader.frames(chosen.pts))
        assert [video_maker.read_number(frame.rgb) for frame in read] == list(range(frames - 1))
        assert reader.missing == {chosen.pts[-1]}


def test_a_damaged_first_frame_does_not_move_the_start(video, video_maker, tmp_path: Path) -> None:
    video_maker.damage(video("h264.mp4"), tmp_path / "bad.mp4", [0])
    with open_video(tmp_path / "bad.mp4", forward=True) as reader:
        chosen = reader.select(np.arange(60) / FPS)
        assert chosen.missing[0]
        for frame in reader.frames(chosen.pts[~chosen.missing]):
            assert video_maker.read_number(frame.rgb) == round(frame.time_s * FPS)


@pytest.mark.parametrize("kind", ["h264.mp4", "h264.avi", "h264_open.mkv", "h264_open.ts", "vp9.webm"])
def test_of_recordings_joined_byte_by_byte_only_the_first_is_read(
    video, video_maker, tmp_path: Path, kind: str
) -> None:
    joined = tmp_path / f"joined{Path(kind).suffix}"
    joined.write_bytes(video(kind).read_bytes() * 2)
    with open_video(joined) as reader:
        assert "another recording begins at byte" in reader.lacking or "run back from" in reader.lacking
        assert reader.info.duration_s == pytest.approx(2.0, abs=0.1)
        chosen = reader.select(np.arange(90) / FPS)
        assert chosen.past_end[60:].all()
        for frame in reader.frames(chosen.pts[~chosen.past_end & ~chosen.missing]):
            assert video_maker.read_number(frame.rgb) == round(frame.time_s * FPS)
    with VideoSource(joined, 0.0, lambda: None) as source:
        assert source.choose(clip(0.0, None), PLAN).failures[0].reason == "incomplete"
        assert source.choose(clip(0.0, 1.0), PLAN).failures == []


def test_frames_listed_without_data_are_not_lacking_but_an_earlier_end_is() -> None:
    statement = Statement(seconds=3.0, frames=90, exact=True)
    assert statement.lacking(3.0, 88, 1 / FPS) is None
    assert statement.lacking(2.9, 87, 1 / FPS) == (
        "the file states 3.000 s (90 frames), its data ends at 2.900 s (87 frames); get it again"
    )
    assert Statement(seconds=3.0).lacking(2.95, None, 1 / FPS) is None
    assert Statement().lacking(1.0, 30, 1 / FPS) is None
