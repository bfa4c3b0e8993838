from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.videos import FoundVideo, find_video, is_safe_relative


def _touch(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"video")
    return file


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
    found = find_video(["a.mp4", "b.mp4"], [first, second])
    assert found == FoundVideo(first, "b.mp4")
    assert found.path == first / "b.mp4"


def test_within_a_root_the_first_candidate_wins(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    _touch(tmp_path / "b.mp4")
    assert find_video(["b.mp4", "a.mp4"], [tmp_path]) == FoundVideo(tmp_path, "b.mp4")


def test_a_later_root_serves_what_the_first_lacks(tmp_path: Path) -> None:
    file = _touch(tmp_path / "second" / "a.mp4")
    found = find_video(iter(["a.mp4"]), [tmp_path / "not there", tmp_path / "second"])
    assert found is not None
    assert found.path == file


def test_a_folder_of_that_name_or_nothing_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    assert find_video(["a.mp4", "b.mp4"], [tmp_path]) is None
    assert find_video(["a.mp4"], []) is None


def test_a_link_out_of_the_root_is_not_found(tmp_path: Path) -> None:
    secret = _touch(tmp_path / "outside" / "secret.mp4")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.mp4").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    assert find_video(["file.mp4", "folder/secret.mp4"], [root]) is None


def test_a_link_inside_the_root_and_a_root_that_is_a_link_are_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "disk" / "a.mp4")
    (tmp_path / "disk" / "same.mp4").symlink_to("a.mp4")
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert find_video(["same.mp4"], [tmp_path / "root"]) == FoundVideo(tmp_path / "root", "same.mp4")


def test_a_name_longer_than_any_file_can_have_is_just_not_found(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    assert find_video(["x" * 5000 + ".mp4", "a.mp4"], [tmp_path]) == FoundVideo(tmp_path, "a.mp4")
