from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.engine.digest import FileDigests
from pipelines.engine.file_memory import FileMemory
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from pipelines.predict.footage import ClipRule, Footage, FootageReader, find_footage, windows
from pipelines.predict.frames import Frames
from pipelines.predict.segments import Segment
from pipelines.prepare.stage import prepare


def find(*videos: Path, rule: ClipRule | None = None) -> Footage:
    return find_footage(videos, rule or ClipRule(), FileMemory(Path("/nowhere")), 1, Silent(), Path("/nowhere"))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "x" / "a.mp4", tmp_path / "y" / "a.mp4"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode())
    return paths


def test_windows_reach_from_the_start_to_the_end_and_the_last_is_cut_off_there() -> None:
    found = [(clip.start_s, clip.stop_s) for clip in windows("a", 5.0, 2.0, 2.0)]
    assert found == [(0, 2), (2, 4), (4, 5)]
    assert [clip.start_s for clip in windows("a", 5.0, 2.0, 1.0)] == [0, 1, 2, 3]
    assert [(clip.start_s, clip.stop_s) for clip in windows("a", 0.4, 2.0, 1.0)] == [(0, 0.4)]
    assert [clip.start_s for clip in windows("a", 5.0, 1.0, 3.0)] == [0, 3]


def test_videos_of_one_name_are_told_apart_by_their_folders(files: list[Path]) -> None:
    footage = find(*files)
    assert list(footage.videos) == ["x/a.mp4", "y/a.mp4"]
    assert list(footage.clips) == [Segment("x/a.mp4"), Segment("y/a.mp4")]
    assert list(find(files[0]).videos) == ["a.mp4"]


def test_the_folder_of_the_videos_does_not_change_what_they_are(files: list[Path], tmp_path: Path) -> None:
    digests = FileDigests(FileMemory(tmp_path / "digests"))
    shutil.copytree(files[0].parent, tmp_path / "elsewhere")
    same = find(tmp_path / "elsewhere" / "a.mp4").digest(digests)
    assert find(files[0]).digest(digests) == same
    assert find(files[1]).digest(digests) != same
    other = Footage(files[0].parent, {"a.mp4": files[0]}, [Segment("a.mp4", 0.0, 1.0)])
    assert other.digest(digests) != same


def test_a_link_to_a_video_elsewhere_is_followed_and_keeps_its_name(files: list[Path], tmp_path: Path) -> None:
    link = tmp_path / "links" / "kitchen.mp4"
    link.parent.mkdir()
    link.symlink_to(files[0])
    footage = find(link)
    space = Workspace.open(tmp_path / "work")
    prepare(space, "footage", FootageReader(footage), footage.roots)
    (row,) = read_rows(space.manifest("footage", "test") / "videos.parquet").to_pylist()
    assert (row["video_id"], row["path"]) == ("kitchen.mp4", "kitchen.mp4")


def test_what_is_no_video_file_is_refused_by_name(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4: no such file; expected a video file"):
        find(tmp_path / "none.mp4")
    with pytest.raises(InputError, match=r"x: a folder; expected a video file"):
        find(files[0].parent)
    with pytest.raises(UsageError, match="named twice"):
        find(files[0], files[0])
    with pytest.raises(UsageError, match="no video"):
        find()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"segments": Path("x"), "window_s": 1.0}, "--segments and --window: choose one"),
        ({"stride_s": 1.0}, "--stride 1: it is the step of sliding windows"),
        ({"window_s": 0.0}, "--window 0: expected a number of seconds above 0"),
        ({"window_s": 1.0, "stride_s": -1.0}, "--stride -1: expected"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(rule: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ClipRule(**rule)  # type: ignore[arg-type]


def test_arrays_have_their_names_beside_files_and_no_two_videos_the_same(files: list[Path], tmp_path: Path) -> None:
    def found(*videos: Path | Frames) -> Footage:
        return find_footage(videos, ClipRule(), FileMemory(Path("/nowhere")), 1, Silent(), tmp_path / "arrays")

    frames = Frames(np.zeros((2, 8, 8, 3), np.uint8), fps=10, name="tea")
    footage = found(files[0], frames)
    assert list(footage.videos) == ["a.mp4", "tea"]
    assert footage.videos["tea"].parent in footage.roots
    assert [clip.video_id for clip in footage.clips] == ["a.mp4", "tea"]
    assert list(found(frames).videos) == ["tea"]
    with pytest.raises(UsageError, match="name 'tea': another video has this name"):
        found(frames, frames)


def test_true_labels_do_not_change_the_digest_of_the_footage(files: list[Path], tmp_path: Path) -> None:
    digests = []
    for more, labels in (("", ""), (",noun", ",cup")):
        table = tmp_path / "clips.csv"
        table.write_text(f"start,stop{more}\n0,1{labels}\n")
        footage = find(files[0], rule=ClipRule(segments=table))
        digests.append(footage.digest(FileDigests(FileMemory(Path("/nowhere")))))
    assert footage.truth[0].noun == "cup"
    assert digests[0] == digests[1]


def test_an_address_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"s3://bucket/film.mp4: this is read from a local disk only. Copy it"):
        find_footage(["s3://bucket/film.mp4"], ClipRule(), FileMemory(Path("/nowhere")), 1, Silent(), Path("/nowhere"))
