from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.readers import VideoFacts
from data_manifests.readers.epic import EpicReader, seconds
from data_manifests.videos import Place, VideoFinder
from tests.data_manifests.epic_files import write_epic


@pytest.mark.parametrize("ending", [".MP4", ".mp4"])
@pytest.mark.parametrize(
    "folder",
    [
        "P90/videos",
        "EPIC-KITCHENS/P90/videos",
        "videos/train/P90",
        "videos/test/P90",
        "EPIC-KITCHENS/videos/train/P90",
        "EPIC-KITCHENS/videos/test/P90",
        "P90",
        "videos/P90",
        "videos",
        ".",
    ],
)
def test_a_video_is_found_in_every_known_tree(tmp_path: Path, folder: str, ending: str) -> None:
    reader = EpicReader(write_epic(tmp_path / "csv"))
    file = tmp_path / "root" / folder / f"P90_101{ending}"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    found = VideoFinder([tmp_path / "empty", tmp_path / "root"]).find(reader.video_places("P90_101"))
    assert found is not None
    assert found.path.samefile(file)
    assert found.relative == f"{folder}/P90_101{ending}".removeprefix("./")
    assert VideoFinder([tmp_path / "root"]).find(reader.video_places("P90_10")) is None


def test_the_first_root_with_the_video_wins(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path / "csv"))
    for file in ("one/P90_01.mp4", "two/P90/videos/P90_01.MP4"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_bytes(b"")
    found = VideoFinder([tmp_path / "one", tmp_path / "two"]).find(reader.video_places("P90_01"))
    assert found is not None
    assert found.path == tmp_path / "one" / "P90_01.mp4"


def test_duration_and_rate_come_from_video_info_where_it_is(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    assert EpicReader(folder).video_facts("P90_01") == VideoFacts(None, None, 60.0)
    info = folder / "EPIC_100_video_info.csv"
    info.write_text("video_id,duration,fps,resolution\nP90_01,12.5,47.952,1920x1080\n")
    assert EpicReader(folder).video_facts("P90_01") == VideoFacts(12.5, 47.952, 60.0)
    info.write_text("video_id,duration,fps,resolution\nP90_01,,50,1920x1080\n")
    with pytest.raises(InputError) as error:
        EpicReader(folder).video_facts("P90_01")
    assert str(error.value) == f"{info}, line 2: duration '', fps '50'; expected two numbers."


@pytest.mark.parametrize(
    ("text", "value"), [("00:00:00.56", 0.56), ("0:00:01", 1.0), (" 10:59:59.999 ", 39599.999), ("00:00:60.00", None)]
)
def test_timestamps_are_hours_minutes_seconds(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_jpegs_are_numbered_at_60_a_second_in_2018_and_at_50_in_2020_whatever_the_mp4_has(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path))
    assert [reader.video_facts(video).jpeg_rate for video in ("P90_01", "P90_101")] == [60.0, 50.0]


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("P90/rgb_frames/P90_101/frame_0000000001.jpg", "frames"),
        ("EPIC-KITCHENS/P90/rgb_frames/P90_101/frame_0000000001.jpg", "frames"),
        ("P90/rgb_frames/P90_101.tar", "tar"),
        ("frames_rgb_flow/rgb/train/P90/P90_101.tar", "tar"),
        ("P90/P90_101.MP4/0.MP4", "chunks"),
        ("epic_kitchens_videos_256ss/P90/videos/P90_101.MP4", "video"),
        ("video_ht256px/P90/P90_101.MP4", "video"),
    ],
)
def test_frames_tars_chunks_and_resized_copies_are_found(tmp_path: Path, made: str, kind: str) -> None:
    file = tmp_path / "root" / made
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    places = EpicReader(write_epic(tmp_path / "csv")).video_places("P90_101")
    found = VideoFinder([tmp_path / "root"]).find(places)
    assert found is not None
    assert found.kind == kind


def test_a_video_file_is_preferred_to_its_frames_and_frames_to_their_tar(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path / "csv"))
    kinds = []
    for made in ("rgb_frames/P90_01.tar", "rgb_frames/P90_01/frame_0000000001.jpg", "videos/P90_01.MP4"):
        file = tmp_path / "root" / "P90" / made
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
        found = VideoFinder([tmp_path / "root"]).find(reader.video_places("P90_01"))
        assert found is not None
        kinds.append(found.kind)
    assert kinds == ["tar", "frames", "video"]


def test_patterns_of_the_user_replace_the_known_trees(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path), ["small/{participant_id}-{video_id}.webm"])
    assert reader.video_places("P90_01") == [Place("small/P90-P90_01.webm")]


def test_the_downloader_takes_ids_with_commas_between_them(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path))
    assert reader.downloader_list(["P01_01", "P01_102"]) == ["P01_01,P01_102"]
    assert reader.downloader_list([]) == []
