from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.readers.table import TableReader
from data_manifests.videos import Place
from tests.data_manifests.clip_tables import write_clips


def test_an_absolute_path_below_a_root_becomes_relative_to_the_first_such_root(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    (root / "deep").mkdir(parents=True)
    file = write_clips(
        tmp_path / "clips.csv", [{"video": str(root / "deep" / "a.mp4")}, {"video": f"{root}/x/../b.mp4"}]
    )
    for roots, names in (([root], ["deep/a.mp4", "b.mp4"]), ([root / "deep", root], ["a.mp4", "b.mp4"])):
        clips = TableReader([(file, "val")], roots=roots).read("val").clips
        assert clips.column("video_id").to_pylist() == names


@pytest.mark.parametrize("video", ["/etc/a.mp4", "../a.mp4", "x/../../a.mp4", "{root}/../a.mp4", "{root}x/a.mp4"])
def test_a_path_outside_every_root_is_rejected(tmp_path: Path, video: str) -> None:
    (tmp_path / "root").mkdir()
    video = video.replace("{root}", str(tmp_path / "root"))
    file = write_clips(tmp_path / "clips.csv", [{"video": video, "clip_id": "out"}])
    rows = TableReader([(file, "val")], roots=[tmp_path / "root"]).read("val")
    assert rows.clips.num_rows == 0
    assert rows.rejects.to_pylist() == [
        {
            "file": "clips.csv",
            "row": 2,
            "clip_id": "out",
            "reason": "unsafe_path",
            "detail": f"{video!r} does not stay below a video root (--videos)",
        }
    ]


def test_a_path_with_a_zero_byte_is_rejected_and_ends_nothing(tmp_path: Path) -> None:
    file = write_clips(tmp_path / "clips.jsonl", [{"video": "/a\x00.mp4"}, {"video": "b.mp4"}])
    rows = TableReader([(file, "val")], roots=[tmp_path]).read("val")
    assert rows.rejects.column("reason").to_pylist() == ["unsafe_path"]
    assert rows.clips.column("video_id").to_pylist() == ["b.mp4"]


def test_equal_paths_written_differently_are_one_video(tmp_path: Path) -> None:
    file = write_clips(tmp_path / "clips.csv", [{"video": "a/b.mp4"}, {"video": "./a//b.mp4", "noun": "cup"}])
    reader = TableReader([(file, "val")])
    assert reader.read("val").clips.column("video_id").to_pylist() == ["a/b.mp4"] * 2
    assert reader.video_places("a/b.mp4") == [Place("a/b.mp4")]


def test_a_link_below_a_root_that_leads_out_of_it_is_rejected(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.mp4").touch()
    (root / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    file = write_clips(tmp_path / "x.csv", [{"video": str(root / "a.mp4")}])
    (reject,) = TableReader([(file, "val")], roots=[root]).read("val").rejects.to_pylist()
    assert reject["reason"] == "unsafe_path"
