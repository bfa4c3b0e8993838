"""Whoever opens a file by the index that another kept must see the very file that reading it through shows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video
from pipelines.decode.video_source import VideoSource
from pipelines.engine.clips import Clip

KEPT = [
    "h264.mp4",
    "h264_deep.mp4",
    "h264_vfr.mp4",
    "h264_open.mp4",
    "h264_late.mp4",
    "hevc_open.mp4",
    "mpeg4_open.mp4",
    "mpeg2_open.mp4",
    "av1.mp4",
    "mjpeg.avi",
    "refresh.mp4",
    "lone.mp4",
]
READ_AGAIN = ["h264_open.mkv", "h264_late.mkv", "h264_open.ts", "hevc_open.mkv", "vp9.webm", "vp8.webm", "anim.gif"]


class Seen:
    """What a reader says of some instants of a file, and how many packets it read to be opened."""

    def __init__(self, path: Path, instants: np.ndarray, indexes: Path | None = None) -> None:
        beats: list[int] = []
        with open_video(path, heartbeat=lambda: beats.append(1), indexes=indexes) as reader:
            self.read = len(beats)
            chosen = reader.select(instants)
            self.pictures = {frame.pts: frame.rgb for frame in reader.frames(chosen.pts, 0)}
            self.said: list[Any] = [reader.info, reader.mode, reader.fallback, reader.missing]
            self.said += [column.tolist() for column in vars(chosen).values()]

    def assert_same(self, other: Seen) -> None:
        assert self.said == other.said
        assert list(self.pictures) == list(other.pictures)
        for pts, picture in other.pictures.items():
            np.testing.assert_array_equal(self.pictures[pts], picture)


def assert_same_by_kept_index(path: Path, indexes: Path, *, kept: bool) -> None:
    for instants in (np.array([0.0, 0.01]), np.arange(0.9, 1.1, 0.01), np.array([1.95, 0.5]), np.arange(0, 2.2, 0.01)):
        whole = Seen(path, instants)
        Seen(path, instants, indexes).assert_same(whole)
        again = Seen(path, instants, indexes)
        again.assert_same(whole)
        assert (again.read < whole.read) == kept


@pytest.mark.parametrize("kind", KEPT)
def test_a_kept_index_gives_the_frames_and_the_facts_of_the_whole_file(
    video: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    assert_same_by_kept_index(video(kind), tmp_path, kept=True)


@pytest.mark.parametrize("kind", READ_AGAIN)
def test_a_container_that_does_not_list_its_packets_at_its_start_is_read_through_each_time(
    video: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    assert_same_by_kept_index(video(kind), tmp_path, kept=False)
    assert list(tmp_path.iterdir()) == []


def test_an_edit_list_and_damage_are_the_same_by_a_kept_index(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    video_maker.shift_video(video("h264.mp4"), tmp_path / "edited.mp4", -0.5)
    video_maker.damage(video("h264.mp4"), tmp_path / "damaged.mp4", [30])
    video_maker.cut_packets(video("h264_open.mkv"), tmp_path / "cut.mp4", 5)
    for name in ("edited.mp4", "damaged.mp4", "cut.mp4"):
        whole = Seen(tmp_path / name, np.arange(0, 1.4, 0.01))
        for _ in range(2):
            Seen(tmp_path / name, np.arange(0, 1.4, 0.01), tmp_path / "indexes").assert_same(whole)


def test_a_file_that_was_cut_off_keeps_no_index(video: Callable[[str], Path], video_maker, tmp_path: Path) -> None:
    moov_first = tmp_path / "moov_first.avi"
    video_maker.truncate(video("mjpeg.avi"), moov_first, 0.6)
    whole = Seen(moov_first, np.arange(0, 0.4, 0.01))
    for _ in range(2):
        Seen(moov_first, np.arange(0, 0.4, 0.01), tmp_path / "indexes").assert_same(whole)


def test_a_file_that_changed_under_its_name_is_read_anew(video: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    instants = np.arange(0, 0.8, 0.01)
    for kind in ("h264.mp4", "h264_vfr.mp4"):
        path.write_bytes(video(kind).read_bytes())
        os.utime(path, ns=(1, 1))
        Seen(path, instants, tmp_path / "indexes").assert_same(Seen(video(kind), instants))


def test_many_videos_of_one_file_demux_it_once(make_video: Callable[..., int], tmp_path: Path) -> None:
    make_video(tmp_path / "recording.mp4", seconds=20)
    plan, beats, read = FramePlan(segments=4, candidates=1), [], []
    for offset_s in (2.0, 6.0, 10.0, 14.0, 18.0):
        beats.clear()
        with VideoSource(tmp_path / "recording.mp4", offset_s, lambda: beats.append(1), tmp_path / "indexes") as source:
            chosen = source.choose(Clip("a", 0.0, 2.0), plan)
            assert [frame.pts for frame in source.frames(chosen.pts.flat, plan)] == chosen.pts.ravel().tolist()
        read.append(len(beats))
    assert read[0] > 600
    assert all(count < 100 for count in read[1:])
