"""What is there in another form is never said not to be there."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from data_manifests.near_misses import NearMisses
from data_manifests.videos import Place, VideoFinder

UMLAUT = "Küche"
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, UMLAUT) for form in ("NFC", "NFD"))


def _near(root: Path, *places: str) -> str | None:
    return NearMisses([root]).find(Place(place) for place in places)


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("A.mp4", "A.mp4 is there, but in other letters than a.mp4"),
        ("a.mkv", "a.mkv is there, but its ending is not that of a.mp4"),
        ("a.MPEG", "a.MPEG is there, but its ending is not that of a.mp4"),
        ("a", "a is there, but its ending is not that of a.mp4"),
        ("a.tar.gz", "a.tar.gz is there, but its ending is not that of a.mp4"),
        ("a.mp4.part", "a.mp4.part is there, but its ending is not that of a.mp4"),
    ],
)
def test_another_ending_or_letter_case_is_named(tmp_path: Path, there: str, said: str) -> None:
    _file(tmp_path / "P01" / there)
    found = _near(tmp_path, "other/a.mp4", "P01/a.mp4")
    assert found == f"{tmp_path / 'P01'}/{said}"


def test_an_id_without_ending_finds_the_file_with_one(tmp_path: Path) -> None:
    _file(tmp_path / "b.mp4")
    assert _near(tmp_path, "b") == f"{tmp_path / 'b.mp4'} is there, but its ending is not that of b"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a_1.bmp", "a_2.bmp", "notes.txt"], "without numbered JPEGs or PNGs (it holds 2 .bmp, 1 .txt)"),
        ([".DS_Store", "._frame_1.jpg"], "(it holds nothing)"),
        (["rgb/frame_1.jpg"], "those in its folder rgb are read when that folder is named as the video"),
    ],
)
def test_a_folder_that_is_no_video_says_what_it_holds(tmp_path: Path, files: list[str], said: str) -> None:
    for name in files:
        _file(tmp_path / "a" / name)
    found = _near(tmp_path, "a")
    assert found is not None
    assert found.startswith(f"{tmp_path / 'a'} is a folder without numbered")
    assert said in found


def test_nothing_near_is_nothing_said(tmp_path: Path) -> None:
    _file(tmp_path / "c.mp4")
    _file(tmp_path / "._a.mp4")
    assert _near(tmp_path, "a.mp4", "../a.mp4") is None


@pytest.mark.parametrize(("there", "asked"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (COMPOSED, COMPOSED)])
def test_a_name_is_found_in_every_unicode_form(tmp_path: Path, there: str, asked: str) -> None:
    path = _file(tmp_path / there / f"{there}.mp4")
    found = VideoFinder([tmp_path]).find([Place(f"{asked}/{asked}.mp4")])
    assert found is not None
    assert found.path.samefile(path)


def test_of_two_unicode_forms_the_one_asked_for_is_found(tmp_path: Path) -> None:
    for name in (COMPOSED, DECOMPOSED):
        _file(tmp_path / f"{name}.mp4")
        found = VideoFinder([tmp_path]).find([Place(f"{name}.mp4")])
        assert found is not None
        assert found.relative == f"{name}.mp4"
