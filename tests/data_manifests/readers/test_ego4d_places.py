from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from data_manifests.readers import VideoFacts
from data_manifests.readers.ego4d import Ego4dReader
from data_manifests.videos import Place, VideoFinder
from tests.data_manifests.ego4d_files import entry, write_ego4d


@pytest.mark.parametrize("version", ["", "v2/", "v1/"])
@pytest.mark.parametrize(
    ("place", "offset_s"),
    [
        ("clips/clip-a.mp4", 0.0),
        ("clips_540ss/clip-a.mp4", 0.0),
        ("clips_256ss/clip-a.mp4", 0.0),
        ("clips_320p/clip-a.mp4", 0.0),
        ("full_scale/recording-1.mp4", 100.0),
        ("video_540ss/recording-1.mp4", 100.0),
        ("video_288px/recording-1.mp4", 100.0),
        ("video_256ss/recording-1.mp4", 100.0),
    ],
)
def test_a_clip_is_found_as_its_own_file_or_at_its_offset_in_the_recording(
    tmp_path: Path, version: str, place: str, offset_s: float
) -> None:
    reader = Ego4dReader(write_ego4d(tmp_path / "json"))
    file = tmp_path / "root" / version / place
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    found = VideoFinder([tmp_path / "root"]).find(reader.video_places("clip-a"))
    assert found is not None
    assert (found.relative, found.kind, found.offset_s) == (f"{version}{place}", "video", offset_s)


def test_a_folder_of_chunks_stands_for_the_recording(tmp_path: Path) -> None:
    reader = Ego4dReader(write_ego4d(tmp_path / "json"))
    chunks = tmp_path / "root" / "video_288px" / "recording-1.mp4"
    chunks.mkdir(parents=True)
    (chunks / "0.mp4").write_bytes(b"")
    found = VideoFinder([tmp_path / "root"]).find(reader.video_places("clip-a"))
    assert found is not None
    assert (found.relative, found.kind, found.offset_s) == ("video_288px/recording-1.mp4", "chunks", 100.0)


def test_the_clip_is_preferred_to_the_recording_and_files_may_lie_at_the_root(tmp_path: Path) -> None:
    places = Ego4dReader(write_ego4d(tmp_path)).video_places("clip-a")
    assert places[0] == Place("clips/clip-a.mp4")
    assert places[-1] == Place("recording-1.mp4", 100.0)
    assert Place("clip-a.mp4") in places
    assert places.index(Place("clip-a.mp4")) < places.index(Place("full_scale/recording-1.mp4", 100.0))


def test_patterns_of_the_user_replace_the_known_places(tmp_path: Path) -> None:
    folder = write_ego4d(tmp_path)
    reader = Ego4dReader(folder, patterns=["{video_uid}/{clip_uid}.webm", "whole/{video_uid}.mkv"])
    assert reader.video_places("clip-a") == [
        Place("recording-1/clip-a.webm"),
        Place("whole/recording-1.mkv", 100.0),
    ]
    with pytest.raises(UsageError, match=r"with \{clip_uid\} or \{video_uid\}"):
        Ego4dReader(folder, patterns=["{video_id}.mp4"])


def test_places_and_facts_need_no_read_before(tmp_path: Path) -> None:
    folder = write_ego4d(tmp_path, {"train": [entry("a")], "val": [entry("b", video_uid="recording-2")]})
    assert Ego4dReader(folder).video_places("b")[-1] == Place("recording-2.mp4", 100.0)
    assert Ego4dReader(folder).video_facts("b") == VideoFacts(300.0, 30.0)
    unknown = Ego4dReader(folder)
    assert unknown.video_facts("c") == VideoFacts(None, 30.0)
    assert Place("clips/c.mp4") in unknown.video_places("c")
    assert all("c.mp4" in place.path for place in unknown.video_places("c"))


def test_the_downloader_takes_a_clip_uid_a_line(tmp_path: Path) -> None:
    reader = Ego4dReader(write_ego4d(tmp_path))
    assert reader.downloader_list(["clip-a", "clip-b"]) == ["clip-a", "clip-b"]
    assert reader.downloader_list([]) == []
