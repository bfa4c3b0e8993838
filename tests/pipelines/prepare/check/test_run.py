from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.readers.epic import EpicReader
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.prepare.check.run import check, missing_videos, needed
from pipelines.prepare.stage import prepare
from tests.data_manifests.epic_files import row, write_epic


@pytest.fixture
def workspace(tmp_path: Path, video_maker) -> Workspace:
    """Four videos: good, cut to nothing, too short for its second clip, missing."""
    folder = tmp_path / "EPIC-KITCHENS" / "P90" / "videos"
    folder.mkdir(parents=True)
    video_maker.make_video(tmp_path / "long.mp4", fps=30, seconds=4)
    video_maker.make_video(tmp_path / "short.mp4", fps=30, seconds=2)
    (folder / "P90_01.MP4").write_bytes((tmp_path / "long.mp4").read_bytes())
    (folder / "P90_02.MP4").write_bytes(b"")
    (folder / "P90_03.MP4").write_bytes((tmp_path / "short.mp4").read_bytes())
    early = {"start_timestamp": "00:00:00.00", "stop_timestamp": "00:00:01.00"}
    rows = [row("P90_01_0"), row("P90_02_0"), row("P90_03_0", **early), row("P90_03_1"), row("P90_04_0")]
    space = Workspace.open(tmp_path / "work")
    reader = EpicReader(write_epic(tmp_path / "csv", {"val": rows, "train": [row("P90_05_0")]}))
    prepare(space, "epic", reader, [tmp_path / "EPIC-KITCHENS"])
    return space


def test_a_partial_download_is_a_table_with_counts_and_not_an_error(workspace):
    found = check(workspace, "epic", ["train", "val"], 2, Silent())
    none = dict.fromkeys(("ok", "missing", "unreadable", "shorter", "incomplete", "other_timing", "damaged"), 0)
    assert found["val"].videos == {**none, "ok": 1, "missing": 1, "unreadable": 1, "shorter": 1}
    assert found["val"].clips == {**none, "ok": 2, "missing": 1, "unreadable": 1, "shorter": 1}
    assert found["train"].videos == {**none, "missing": 1}
    problems = {problem["video_id"]: problem for problem in found["val"].problems}
    assert problems["P90_02"]["status"] == "unreadable"
    assert problems["P90_02"]["detail"].startswith("empty_file: ")
    assert problems["P90_03"] == {
        "video_id": "P90_03",
        "path": "P90/videos/P90_03.MP4",
        "status": "shorter",
        "detail": "ends at 2.000 s, its clips at 3.250 s",
        "clips": 1,
    }


def test_what_is_needed_are_the_missing_and_with_a_check_also_the_broken_ones(workspace):
    assert missing_videos(workspace, "epic", ["train", "val"]) == ["P90_04", "P90_05"]
    found = check(workspace, "epic", ["val"], 1, Silent())
    assert needed(found) == ["P90_02", "P90_03", "P90_04"]


def test_a_video_is_looked_at_again_only_when_its_file_changed(workspace, monkeypatch):
    first = check(workspace, "epic", ["val"], 1, Silent())

    def no_worker(*args: object, **options: object) -> list[object]:
        assert list(args[1]) == []  # type: ignore[call-overload]
        return []

    monkeypatch.setattr("pipelines.prepare.check.run.run_killable", no_worker)
    assert check(workspace, "epic", ["val"], 1, Silent()) == first
    monkeypatch.undo()
    root = Path(workspace.datasets["epic"].roots[0])
    (root / "P90/videos/P90_02.MP4").write_bytes((root / "P90/videos/P90_01.MP4").read_bytes())
    assert check(workspace, "epic", ["val"], 1, Silent())["val"].videos["ok"] == 2


def test_a_video_that_is_gone_since_it_was_found_is_said(workspace):
    root = Path(workspace.datasets["epic"].roots[0])
    (root / "P90/videos/P90_01.MP4").unlink()
    problems = {p["video_id"]: p for p in check(workspace, "epic", ["val"], 1, Silent())["val"].problems}
    assert problems["P90_01"]["detail"] == "it was there when the dataset was prepared and is gone"
