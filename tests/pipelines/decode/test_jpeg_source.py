from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from data_manifests.readers.epic import jpeg_rate
from pipelines.decode.container import VideoError
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.jpeg_source import JpegSource, open_jpegs, picture_names, wrong_rate
from pipelines.decode.picture_series import picture_series
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.source import LostFrame, StoredFrame
from pipelines.engine.clips import Clip

PLAN = FramePlan(segments=4, candidates=1, short_side=256)


def _nothing() -> None:
    pass


@pytest.fixture(scope="module")
def pictures(video_maker) -> dict[int, bytes]:
    """The JPEGs 1 to 100; each shows its number."""
    return {number: to_jpeg(video_maker.draw_frame(number, (128, 96)), 90) for number in range(1, 101)}


def _folder(folder: Path, pictures: dict[int, bytes], numbers: Iterable[int] = range(1, 101)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"frame_{number:010d}.jpg").write_bytes(pictures[number])
    return folder


def _tar(file: Path, pictures: dict[int, bytes], mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:
        for number, data in pictures.items():
            member = tarfile.TarInfo(f"./frame_{number:010d}.jpg")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


def _shown(source: JpegSource, clip: Clip, video_maker) -> list[int]:
    chosen = source.choose(clip, PLAN)
    assert not chosen.failures
    frames = {frame.pts: frame for frame in source.frames(chosen.pts.flat, PLAN)}
    return [video_maker.read_number(from_jpeg(frames[int(pts)].jpeg)) for pts in chosen.pts.flat]


@pytest.mark.parametrize("kind", ["frames", "tar"])
def test_clips_of_jpegs_go_by_frame_numbers_and_not_by_time(tmp_path, pictures, video_maker, kind):
    path = _folder(tmp_path / "x", pictures) if kind == "frames" else _tar(tmp_path / "x.tar", pictures)
    with open_jpegs(path, 60.0, None, _nothing) as source:
        # The times are of another rate on purpose: segments of 10 frames, centres 5 frames in.
        assert _shown(source, Clip("a", 100.0, 200.0, 21, 61), video_maker) == [26, 36, 46, 56]
        assert source.facts()["read_mode"] == kind
        assert (source.facts()["width"], source.facts()["height"]) == (128, 96)


def test_the_number_is_the_key_and_the_rate_gives_the_time(tmp_path, pictures):
    with open_jpegs(_folder(tmp_path, pictures), 50.0, None, _nothing) as source:
        (frame,) = source.frames([26], PLAN)
    assert isinstance(frame, StoredFrame)
    assert (frame.pts, frame.time_s) == (26, 0.5)
    with open_jpegs(tmp_path, None, None, _nothing) as source:
        (frame,) = source.frames([26], PLAN)
    assert frame.time_s is None


def test_numbers_are_clamped_to_the_frames_there_are(tmp_path, pictures, video_maker):
    with open_jpegs(_folder(tmp_path, pictures), 60.0, None, _nothing) as source:
        assert _shown(source, Clip("a", 0.0, 0.1, 0, 4), video_maker) == [1, 1, 2, 3]
        assert _shown(source, Clip("b", 1.0, 2.0, 96, 112), video_maker) == [98, 100, 100, 100]


def test_a_clip_with_fewer_frames_than_segments_repeats_frames(tmp_path, pictures, video_maker):
    with open_jpegs(_folder(tmp_path, pictures), 50.0, None, _nothing) as source:
        assert _shown(source, Clip("a", 0.1, 0.14, 5, 7), video_maker) == [5, 5, 6, 6]
        assert _shown(source, Clip("b", 0.1, 0.11, 5, 5), video_maker) == [5, 5, 5, 5]


def test_a_clip_far_past_the_last_frame_is_past_the_end_and_not_the_last_frame(tmp_path, pictures):
    with open_jpegs(_folder(tmp_path, pictures), 60.0, None, _nothing) as source:
        chosen = source.choose(Clip("a", 1.0, 2.0, 81, 161), PLAN)
    assert [pts == NO_FRAME for pts in chosen.pts.flat] == [False, False, True, True]
    (failure,) = chosen.failures
    assert (failure.reason, failure.rows) == ("past_end", 2)
    assert failure.error == "2 of 4 instants of frames 81 to 161 are past the last one, 100"


def test_a_frame_that_is_not_there_though_later_ones_are_is_a_failure(tmp_path, pictures):
    with open_jpegs(_folder(tmp_path, pictures, [1, 2, 4, 5]), 60.0, None, _nothing) as source:
        frames = list(source.frames([2, 3, 4], PLAN))
    assert [frame.pts for frame in frames] == [2, 3, 4]
    assert isinstance(frames[1], LostFrame)
    assert "frame 3: there is no JPEG of this number, though there are later ones" in frames[1].failure.error


def test_a_picture_cut_off_or_of_another_kind_is_a_failure(tmp_path, pictures):
    folder = _folder(tmp_path, pictures, [1, 2, 3])
    (folder / "frame_0000000002.jpg").write_bytes(pictures[2][:-200])
    (folder / "frame_0000000003.jpg").write_bytes(b"\x89PNG")
    with open_jpegs(folder, 60.0, None, _nothing) as source:
        first, *others = source.frames([1, 2, 3], PLAN)
    assert isinstance(first, StoredFrame)
    assert [frame.failure.reason for frame in others if isinstance(frame, LostFrame)] == ["decode_error"] * 2


def test_small_pictures_pass_through_unchanged_and_large_ones_become_smaller(tmp_path, pictures, video_maker):
    large = to_jpeg(video_maker.draw_frame(7, (512, 384)), 90)
    folder = _folder(tmp_path, {1: pictures[1], 2: large}, [1, 2])
    with open_jpegs(folder, 60.0, None, _nothing) as source:
        small, shrunk = source.frames([1, 2], PLAN)
        (native,) = source.frames([2], FramePlan(short_side=0))
    assert small.jpeg == pictures[1]
    assert (shrunk.width, shrunk.height) == (342, 256)
    assert video_maker.read_number(from_jpeg(shrunk.jpeg)) == 7
    assert native.jpeg == large


def test_without_frame_numbers_only_a_whole_folder_can_be_read(tmp_path, pictures, video_maker):
    with open_jpegs(_folder(tmp_path, pictures), None, None, _nothing) as source:
        assert _shown(source, Clip("a", 0.0, None), video_maker) == [13, 38, 63, 88]
        chosen = source.choose(Clip("b", 0.0, 1.0), PLAN)
    assert (chosen.failures[0].reason, chosen.failures[0].rows) == ("no_frame_numbers", 4)


@pytest.mark.parametrize(
    ("frames", "rate", "duration_s", "wrong"),
    [
        (1200, 50.0, 20.0, True),  # 60 a second where 50 are numbered
        (1000, 50.0, 20.0, False),
        (606, 60.0, 10.0, False),  # a short video
        (300, 60.0, 10.0, False),  # half of them are not there yet
        (1200, None, 20.0, False),
        (1200, 50.0, None, False),
    ],
)
def test_frames_of_60_a_second_of_a_50_fps_video_are_detected(frames, rate, duration_s, wrong):
    assert (wrong_rate(frames, rate, duration_s) is not None) == wrong


def test_frames_of_the_wrong_rate_are_refused_with_what_to_do(tmp_path, pictures):
    with pytest.raises(VideoError, match=r"60\.0 a second.*numbers 50 a second.*epic_downloader\.py --errata") as error:
        open_jpegs(_folder(tmp_path, pictures), 50.0, 100 / 60, _nothing)
    assert error.value.reason == "wrong_frame_rate"


def test_links_and_other_files_in_the_folder_are_not_frames(tmp_path, pictures):
    folder = _folder(tmp_path / "frames", pictures, [1])
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(pictures[2])
    (folder / "frame_0000000002.jpg").symlink_to(secret)
    (folder / "notes.txt").touch()
    assert picture_names(folder) == ["frame_0000000001.jpg"]


@pytest.mark.parametrize("name", ["frame_0000000012.jpg", "img_00012.JPG", "P01_01_0012.jpeg", "12.jpg"])
def test_the_last_number_of_a_name_counts(tmp_path, name):
    (tmp_path / name).touch()
    assert picture_series(picture_names(tmp_path)).files == {12: name}


def test_a_tar_member_of_any_path_is_read_in_place_and_links_in_it_are_not(tmp_path, pictures):
    file = tmp_path / "x.tar"
    with tarfile.open(file, "w") as archive:
        member = tarfile.TarInfo("../../etc/frame_0000000001.jpg")
        member.size = len(pictures[1])
        archive.addfile(member, io.BytesIO(pictures[1]))
        link = tarfile.TarInfo("frame_0000000002.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with open_jpegs(file, 60.0, None, _nothing) as source:
        first, second = source.frames([1, 2], PLAN)
    assert isinstance(first, StoredFrame)
    assert first.jpeg == pictures[1]
    assert isinstance(second, LostFrame)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.tar"]


def test_a_compressed_tar_and_an_empty_one_are_refused(tmp_path, pictures):
    compressed = _tar(tmp_path / "gz.tar", pictures, "w:gz")
    with pytest.raises(VideoError, match="not a whole uncompressed tar"):
        open_jpegs(compressed, 60.0, None, _nothing)
    empty = _tar(tmp_path / "empty.tar", {})
    with pytest.raises(VideoError, match="no numbered JPEG or PNG in it"):
        open_jpegs(empty, 60.0, None, _nothing)


def test_a_download_of_a_tar_that_was_cut_off_is_refused(tmp_path, pictures):
    whole = _tar(tmp_path / "x.tar", {number: pictures[number] for number in (1, 2, 3)})
    with tarfile.open(whole) as archive:
        second = archive.getmembers()[1]
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[: second.offset_data + second.size // 2])
    with pytest.raises(VideoError, match=r"cut\.tar: not a whole uncompressed tar .*get it again"):
        open_jpegs(cut, 60.0, None, _nothing)


def test_a_hundred_pictures_are_chosen_as_the_official_code_does(tmp_path, pictures):
    plan = FramePlan(segments=16, candidates=1)
    with open_jpegs(_folder(tmp_path, pictures), 60.0, None, _nothing) as source:
        chosen = source.choose(Clip("a", 0.0, 1.0, 10, 74), plan)
    step = (74 - 10) / 16
    assert chosen.pts[:, 0].tolist() == [10 + int(np.floor(i * step + step / 2)) for i in range(16)]


_REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "epic100"


@pytest.mark.skipif(not _REAL.is_dir(), reason="needs the official annotation files")
def test_of_the_released_frames_those_of_p01_109_and_p27_103_are_of_the_wrong_rate():
    def rows(name: str) -> list[dict[str, str]]:
        with (_REAL / name).open(newline="") as lines:
            return list(csv.DictReader(lines))

    frames = {row["video_id"]: int(row["rgb_n_frames"]) for row in rows("EPIC_100_frame_counts.csv")}
    durations = {row["video_id"]: float(row["duration"]) for row in rows("EPIC_100_video_info.csv")}
    both = frames.keys() & durations.keys()
    assert len(both) == 700
    wrong = {video for video in both if wrong_rate(frames[video], jpeg_rate(video), durations[video])}
    assert wrong == {"P01_109", "P27_103"}
