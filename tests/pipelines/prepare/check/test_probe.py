from __future__ import annotations

from pathlib import Path

import av
import pytest

from pipelines.decode.container import VideoError
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.media_rules import USUAL
from pipelines.decode.reader import open_video
from pipelines.prepare.check.probe import Probe, probe


def _nothing() -> None:
    pass


def _with_index_last(source: Path, target: Path) -> None:
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


def _look(path: Path, kind: str = "video") -> Probe:
    return probe((str(path), kind, USUAL), _nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts", "a.avi", "a.gif"])
def test_length_and_rate_are_those_that_decoding_everything_finds(tmp_path, video_maker, name):
    codec = {"webm": "libvpx-vp9", "gif": "gif", "avi": "mjpeg"}.get(name[2:], "libx264")
    video_maker.make_video(tmp_path / name, codec=codec, fps=25, seconds=3)
    with open_video(tmp_path / name, forward=True) as reader:
        duration_s = reader.info.duration_s
    found = _look(tmp_path / name)
    assert found.duration_s == pytest.approx(duration_s, abs=0.05)
    assert found.fps == pytest.approx(25, rel=0.01)


def test_a_video_that_starts_late_is_as_long_as_what_it_shows(tmp_path, video_maker):
    video_maker.make_video(tmp_path / "late.mkv", start_pts=45)
    assert _look(tmp_path / "late.mkv").duration_s == pytest.approx(2.0, abs=0.05)


def test_of_a_download_that_was_cut_off_only_what_is_there_counts(tmp_path, video_maker):
    video_maker.make_video(tmp_path / "whole.mkv", seconds=8)
    video_maker.truncate(tmp_path / "whole.mkv", tmp_path / "cut.mkv", 0.5)
    found = _look(tmp_path / "cut.mkv")
    assert found.duration_s is not None
    assert 2 < found.duration_s < 6


def test_an_mp4_whose_index_was_cut_off_is_no_video(tmp_path, video_maker):
    video_maker.make_video(tmp_path / "whole.mp4")
    _with_index_last(tmp_path / "whole.mp4", tmp_path / "last.mp4")
    video_maker.truncate(tmp_path / "last.mp4", tmp_path / "cut.mp4", 0.5)
    with pytest.raises(VideoError, match=r"cut\.mp4: FFmpeg finds no video in it"):
        _look(tmp_path / "cut.mp4")


def test_an_mp4_whose_index_states_more_than_is_there_is_as_long_as_what_is_there(tmp_path, video_maker):
    video_maker.make_video(tmp_path / "whole.mp4", seconds=8)
    video_maker.truncate(tmp_path / "whole.mp4", tmp_path / "cut.mp4", 0.6)
    found = _look(tmp_path / "cut.mp4")
    assert found.duration_s is not None
    assert 2 < found.duration_s < 6


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.flv", "a.webm", "a.mov"])
def test_a_file_that_is_whole_lacks_nothing_and_one_that_was_cut_off_says_both_numbers(tmp_path, video_maker, name):
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    video_maker.make_video(tmp_path / name, codec=codec, seconds=8)
    assert _look(tmp_path / name).lacking is None
    if name == "a.mov":  # its index is at its end
        return
    cut = tmp_path / f"cut{name[1:]}"
    video_maker.truncate(tmp_path / name, cut, 0.6)
    found = _look(cut)
    assert found.lacking is not None
    assert found.lacking.startswith("the file states 8.0")
    assert f"its data ends at {found.duration_s:.3f} s" in found.lacking


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_recordings_joined_byte_by_byte_are_said(tmp_path, video_maker, name):
    video_maker.make_video(tmp_path / name)
    size = (tmp_path / name).stat().st_size
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() * 2)
    assert _look(tmp_path / name).lacking == f"another recording begins at byte {size}, and only the first is read"


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty_file"), (b"no video" * 50, "not_a_video")])
def test_what_is_no_video_says_why(tmp_path, content, reason):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(VideoError) as error:
        _look(tmp_path / "x.mp4")
    assert error.value.reason == reason


def test_chunks_are_as_long_as_the_last_one_ends_and_missing_ones_are_counted(tmp_path, video_maker):
    folder = tmp_path / "v.mp4"
    folder.mkdir()
    for start in (0, 2, 6):
        video_maker.make_video(folder / f"{start}.mp4", fps=30, seconds=2)
    found = _look(folder, "chunks")
    assert found.duration_s == pytest.approx(8.0, abs=0.05)
    assert found.gap == "1 chunks are missing, the first is 4"
    (folder / "6.mp4").unlink()
    assert _look(folder, "chunks").gap is None


def test_jpegs_are_counted_and_both_ends_looked_at(tmp_path, video_maker):
    data = to_jpeg(video_maker.draw_frame(1, (64, 48)), 90)
    for number in (1, 2, 4):
        (tmp_path / f"frame_{number:010d}.jpg").write_bytes(data)
    found = _look(tmp_path, "frames")
    assert found == Probe(frames=3, last_frame=4, gap="1 frames between 1 and 4 are missing")
    (tmp_path / "frame_0000000004.jpg").write_bytes(data[:-50])
    with pytest.raises(VideoError, match="frame 4: JPEG"):
        _look(tmp_path, "frames")


def test_a_chunk_of_a_late_start_is_not_counted_up_to(tmp_path, video_maker):
    folder = tmp_path / "v.mp4"
    folder.mkdir()
    for start in (0, 1, 900_000_000):
        video_maker.make_video(folder / f"{start}.mp4", fps=30, seconds=1)
    assert _look(folder, "chunks").gap == "899999998 chunks are missing, the first is 2"
