"""Videos that are gone after they were decoded: what was made of them is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import MissingUpstream
from data_manifests.readers.table import TableReader
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare


@pytest.fixture
def decode(tmp_path: Path, video_maker) -> DecodeStage:
    """Two videos, decoded into one shard."""
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        video_maker.make_video(tmp_path / "videos" / f"{name}.mp4", fps=10, seconds=1)
    return decoding(tmp_path, ["a.mp4,0,1", "b.mp4,0,1"])


def decoding(tmp_path: Path, rows: list[str]) -> DecodeStage:
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["video,start_s,stop_s", *rows]) + "\n")
    workspace = Workspace.open(tmp_path / "work")
    videos = tmp_path / "videos"
    prepare(workspace, "mine", TableReader([(table, "val")], roots=[videos]), [videos])
    return DecodeStage(workspace, "mine", "val", FramePlan(segments=2, candidates=1, short_side=0))


def shard(decode: DecodeStage) -> bytes:
    (file,) = decode.folder.glob("part-*.parquet")
    return file.read_bytes()


def test_frames_outlive_their_videos(decode: DecodeStage, tmp_path: Path) -> None:
    stage.run(decode)
    before = shard(decode)
    (tmp_path / "videos").rename(tmp_path / "unplugged")
    report = stage.run(decode)
    assert (report.made, report.already_done, report.rows) == (0, 1, 4)
    (tmp_path / "videos").mkdir()
    decoding(tmp_path, ["a.mp4,0,1", "b.mp4,0,1"])  # prepared anew, without the disk
    assert stage.run(decode).made == 0
    assert shard(decode) == before


def test_a_shard_that_would_lose_frames_is_not_made_anew(decode: DecodeStage, tmp_path: Path) -> None:
    stage.run(decode)
    before = shard(decode)
    (tmp_path / "videos" / "b.mp4").rename(tmp_path / "b.mp4")
    other = decoding(tmp_path, ["a.mp4,0,0.5", "b.mp4,0,1"])
    with pytest.raises(MissingUpstream, match=r"the files of 1 of its videos are gone .* the first is b.mp4, searched"):
        stage.run(other)
    assert shard(decode) == before
    (tmp_path / "b.mp4").rename(tmp_path / "videos" / "b.mp4")
    other = decoding(tmp_path, ["a.mp4,0,0.5", "b.mp4,0,1"])
    assert stage.run(other).made == 1
    assert shard(decode) != before


def test_a_video_that_comes_later_is_decoded(decode: DecodeStage, tmp_path: Path) -> None:
    (tmp_path / "videos" / "b.mp4").rename(tmp_path / "b.mp4")
    assert stage.run(decode).failures == {"missing_video": 2}
    assert stage.run(decode).made == 0
    (tmp_path / "b.mp4").rename(tmp_path / "videos" / "b.mp4")
    report = stage.run(decode)
    assert (report.made, report.rows, report.failures) == (1, 4, {})


def test_without_any_video_the_roots_are_named(decode: DecodeStage, tmp_path: Path) -> None:
    (tmp_path / "videos").rename(tmp_path / "unplugged")
    with pytest.raises(MissingUpstream, match=r"none of its 2 videos is there; the first, a.mp4, was searched"):
        stage.run(decode)
