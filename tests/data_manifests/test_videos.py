from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from data_manifests.videos import FoundVideo, LeavesRoots, Place, VideoFinder, check_patterns, is_safe_relative, kind_of


def _touch(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"video")
    return file


def _find(paths: Sequence[str], roots: Sequence[Path]) -> FoundVideo | None:
    return VideoFinder(roots).find(Place(path) for path in paths)


@pytest.mark.parametrize("path", ["a.mp4", "a/b.mp4", "a b/ü.mp4", "..a/b..mp4", "./a.mp4", "a/./b.mp4", "c/d:e.mp4"])
def test_a_path_that_stays_below_is_safe(path: str) -> None:
    assert is_safe_relative(path)


@pytest.mark.parametrize(
    "path",
    ["", "/a.mp4", "../a.mp4", "a/../../b.mp4", "a/..", "..", "..\\a.mp4", "a\\..\\b.mp4", "\\a.mp4", "C:\\a.mp4"]
    + ["C:a.mp4", "//host/a.mp4", "a\x00.mp4"],
)
def test_a_path_that_may_leave_its_folder_is_not_safe(path: str) -> None:
    assert not is_safe_relative(path)


def test_the_first_root_wins_even_when_a_later_one_has_a_preferred_name(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _touch(first / "b.mp4")
    _touch(second / "a.mp4")
    found = _find(["a.mp4", "b.mp4"], [first, second])
    assert found == FoundVideo(first, "b.mp4", "video")
    assert found.path == first / "b.mp4"


def test_within_a_root_the_first_place_wins(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    _touch(tmp_path / "b.mp4")
    assert _find(["b.mp4", "a.mp4"], [tmp_path]) == FoundVideo(tmp_path, "b.mp4", "video")


def test_a_later_root_serves_what_the_first_lacks(tmp_path: Path) -> None:
    file = _touch(tmp_path / "second" / "a.mp4")
    found = _find(["a.mp4"], [tmp_path / "not there", tmp_path / "second"])
    assert found is not None
    assert found.path == file


@pytest.mark.parametrize("there", ["P01_01.MP4", "P01_01.mp4", "P01_01.Mp4"])
def test_the_case_of_the_ending_does_not_matter_but_that_of_the_name_does(tmp_path: Path, there: str) -> None:
    _touch(tmp_path / "P01" / there)
    found = _find(["P01/P01_01.mp4"], [tmp_path])
    assert found is not None
    assert found.relative == f"P01/{there}"
    assert _find(["P01/p01_01.mp4"], [tmp_path]) is None


def test_where_the_video_begins_in_its_file_is_kept(tmp_path: Path) -> None:
    _touch(tmp_path / "full.mp4")
    found = VideoFinder([tmp_path]).find([Place("clip.mp4"), Place("full.mp4", 292.5)])
    assert found == FoundVideo(tmp_path, "full.mp4", "video", 292.5)


def test_folders_of_jpegs_folders_of_chunks_and_tars_are_told_apart(tmp_path: Path) -> None:
    _touch(tmp_path / "jpegs" / "frame_0000000001.jpg")
    _touch(tmp_path / "chunks.mp4" / "0.MP4")
    _touch(tmp_path / "chunks.mp4" / "300.MP4")
    _touch(tmp_path / "frames.tar")
    _touch(tmp_path / "other" / "notes.txt")
    kinds = {name: kind_of(tmp_path / name) for name in ("jpegs", "chunks.mp4", "frames.tar", "other", "nothing")}
    assert kinds == {"jpegs": "frames", "chunks.mp4": "chunks", "frames.tar": "tar", "other": None, "nothing": None}
    assert _find(["chunks.mp4"], [tmp_path]) == FoundVideo(tmp_path, "chunks.mp4", "chunks")


def test_a_folder_without_video_or_nothing_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    assert _find(["a.mp4", "b.mp4"], [tmp_path]) is None
    assert _find(["a.mp4"], []) is None


def test_a_link_out_of_the_roots_is_refused_and_says_where_it_leads(tmp_path: Path) -> None:
    secret = _touch(tmp_path / "outside" / "secret.mp4")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.mp4").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    for path in ("file.mp4", "folder/secret.mp4"):
        with pytest.raises(LeavesRoots, match=r"is a link to .*outside/secret\.mp4, outside the video roots"):
            _find([path], [root])


def test_another_place_inside_the_roots_serves_before_a_link_out_of_them_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    _touch(root / "good.mp4")
    (root / "bad.mp4").symlink_to(_touch(tmp_path / "outside.mp4"))
    assert _find(["bad.mp4", "good.mp4"], [root]) == FoundVideo(root, "good.mp4", "video")


def test_a_link_to_another_root_is_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "disk2" / "a.mp4")
    root = tmp_path / "root"
    root.mkdir()
    (root / "P01").symlink_to(tmp_path / "disk2")
    assert _find(["P01/a.mp4"], [root, tmp_path / "disk2"]) == FoundVideo(root, "P01/a.mp4", "video")


def test_a_link_inside_the_root_and_a_root_that_is_a_link_are_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "disk" / "a.mp4")
    (tmp_path / "disk" / "same.mp4").symlink_to("a.mp4")
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert _find(["same.mp4"], [tmp_path / "root"]) == FoundVideo(tmp_path / "root", "same.mp4", "video")


def test_a_name_longer_than_any_file_can_have_is_just_not_found(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    assert _find(["x" * 5000 + ".mp4", "x" * 5000 + "/a.mp4", "a.mp4"], [tmp_path]) is not None


@pytest.mark.parametrize(
    "pattern", ["videos/all.mp4", "{movie}.mp4", "../{video_id}.mp4", "/{video_id}.mp4", "{video_id"]
)
def test_a_pattern_without_a_known_placeholder_or_out_of_the_root_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="--pattern"):
        check_patterns([pattern], ("video_id",))
