from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.decode import chunk_source
from pipelines.decode.chunk_source import ChunkSource, chunk_files
from pipelines.decode.container import VideoError
from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.reader import open_video
from pipelines.engine.clips import Clip

PLAN = FramePlan(segments=4, candidates=1, short_side=0)


def _nothing() -> None:
    pass


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory, video_maker) -> Path:
    """Three chunks of two seconds; each counts its own frames from 0."""
    folder = tmp_path_factory.mktemp("chunked") / "video.mp4"
    folder.mkdir()
    for start in (0, 2, 4):
        video_maker.make_video(folder / f"{start}.mp4", fps=30, seconds=2)
    return folder


def _numbers(source: ChunkSource, chosen: np.ndarray, video_maker) -> list[int]:
    frames = {frame.pts: frame for frame in source.frames(chosen.flat, PLAN)}
    return [video_maker.read_number(from_jpeg(frames[int(pts)].jpeg)) for pts in chosen.flat]


def test_a_clip_across_two_chunks_takes_its_frames_from_both(chunks, video_maker):
    with ChunkSource(chunks, 0.0, _nothing) as source:
        chosen = source.choose(Clip("a", 1.0, 3.0), PLAN)
        assert not chosen.failures
        assert _numbers(source, chosen.pts, video_maker) == [37, 52, 7, 22]
        assert sorted(chosen.pts.flat) == list(chosen.pts.flat), "the frames' keys ascend with time"


def test_frames_of_different_chunks_never_share_a_key(chunks):
    with ChunkSource(chunks, 0.0, _nothing) as source:
        every = [source.choose(Clip(str(start), start, start + 2.0), PLAN).pts for start in (0.0, 2.0, 4.0)]
        times = [frame.time_s for pts in every for frame in source.frames(pts.flat, PLAN)]
    assert len(np.unique(every)) == 12
    assert times == pytest.approx([start + n / 30 for start in (0, 2, 4) for n in (7, 22, 37, 52)])


def test_the_video_may_begin_inside_the_chunks(chunks, video_maker):
    with ChunkSource(chunks, 3.0, _nothing) as source:
        chosen = source.choose(Clip("a", 0.0, 2.0), PLAN)
        assert _numbers(source, chosen.pts, video_maker) == [37, 52, 7, 22]
        to_the_end = source.choose(Clip("b", 2.0, None), PLAN)
        assert _numbers(source, to_the_end.pts, video_maker) == [34, 41, 49, 56]
        # Of the video, which begins a second into the chunk of 2 s: its first second ends where the next chunk starts.
        times = [frame.time_s for frame in source.frames(chosen.pts.flat, PLAN)]
        assert times == pytest.approx([37 / 30 - 1, 52 / 30 - 1, 7 / 30 + 1, 22 / 30 + 1])
        facts = source.facts()
    assert (facts["time_base_denominator"], facts["first_pts"]) == (90_000, 0)
    assert facts["duration_s"] == pytest.approx(6.0)


def test_a_missing_chunk_is_not_the_end_of_the_video_and_no_other_stands_in(tmp_path, chunks):
    folder = tmp_path / "video.mp4"
    folder.mkdir()
    for start in (0, 2, 6):
        (folder / f"{start}.mp4").write_bytes((chunks / "0.mp4").read_bytes())
    with ChunkSource(folder, 0.0, _nothing) as source:
        chosen = source.choose(Clip("a", 3.0, 5.0), PLAN)
        before = source.choose(Clip("b", 3.0, 4.0), PLAN)
    assert [pts == NO_FRAME for pts in chosen.pts.flat] == [False, False, True, True]
    (failure,) = chosen.failures
    assert (failure.reason, failure.rows) == ("missing_video", 2)
    assert "no chunk for 4.250 s" in failure.error
    assert not before.failures


def test_instants_past_the_last_chunk_are_past_the_end(chunks):
    with ChunkSource(chunks, 0.0, _nothing) as source:
        chosen = source.choose(Clip("a", 5.0, 7.0), PLAN)
        after = source.choose(Clip("b", 9.0, 10.0), PLAN)
    assert [(failure.reason, failure.rows) for failure in chosen.failures] == [("past_end", 2)]
    assert chosen.failures[0].error.endswith("past the end of the video at 6.000 s")
    assert after.failures[0].rows == 4


def test_more_chunks_than_are_kept_open_give_the_same_frames(tmp_path, chunks, video_maker):
    folder = tmp_path / "video.mp4"
    folder.mkdir()
    for start in range(0, 12, 2):
        (folder / f"{start}.mp4").write_bytes((chunks / "0.mp4").read_bytes())
    plan = FramePlan(segments=6, candidates=1, short_side=0)
    with ChunkSource(folder, 0.0, _nothing) as source:
        chosen = source.choose(Clip("a", 0.0, 12.0), plan)
        assert _numbers(source, chosen.pts, video_maker) == [30] * 6


def test_the_chunk_not_used_for_longest_is_closed_first_and_the_last_is_opened_once_for_the_end(
    tmp_path, chunks, monkeypatch
):
    folder = tmp_path / "video.mp4"
    folder.mkdir()
    for start in range(0, 14, 2):
        (folder / f"{start}.mp4").hardlink_to(chunks / "0.mp4")
    opened = []

    def counted(path: Path, **kwargs):
        opened.append(int(path.stem))
        return open_video(path, **kwargs)

    monkeypatch.setattr(chunk_source, "open_video", counted)
    with ChunkSource(folder, 0.0, _nothing) as source:
        for start in (0, 2, 0, 4, 0, 6, 0, 8, 0, 2):
            source.choose(Clip(f"{start}", start + 0.5, start + 1.5), PLAN)
    assert opened == [12, 0, 2, 4, 6, 8, 2]


def test_many_videos_of_the_same_chunks_demux_each_once(tmp_path, chunks):
    beats, read, chosen = [], [], []
    for _ in range(2):
        beats.clear()
        with ChunkSource(chunks, 1.0, lambda: beats.append(1), tmp_path) as source:
            chosen.append(source.choose(Clip("a", 0.0, None), PLAN).pts.tolist())
        read.append(len(beats))
    assert chosen[0] == chosen[1]
    assert read[0] > 3 * 60 > 60 > read[1]


def test_a_folder_without_chunks_and_links_are_refused(tmp_path, chunks):
    (tmp_path / "0.mp4").symlink_to(chunks / "0.mp4")
    (tmp_path / "notes.txt").touch()
    assert chunk_files(tmp_path) == {}
    with pytest.raises(VideoError, match=r"no chunk in this folder; expected files such as 0\.mp4"):
        ChunkSource(tmp_path, 0.0, _nothing)
