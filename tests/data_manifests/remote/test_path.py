from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data_manifests.errors import UsageError
from data_manifests.remote import stores
from data_manifests.remote.path import RemotePath, is_remote, names_in, path_of, refuse_address, refuse_remote_workspace
from data_manifests.videos import Place, VideoFinder, kind_of

ADDRESSES = ["s3://bucket/a b/c.MP4", "gs://bucket/c.csv", "hf://datasets/o/r@main/c.csv", "https://host/c.csv?x=1"]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_written_as_it_was_given(text: str) -> None:
    path = path_of(text)
    assert str(path) == text == f"{path}" == str(pickle.loads(pickle.dumps(path)))
    assert str(path_of(Path(text))) == text  # a command line makes a path of it first
    assert str(path_of(path)) == text


def test_names_and_parents_are_those_of_paths() -> None:
    path = path_of("s3://bucket/videos/P01/a.MP4")
    assert (path.name, path.suffix, str(path.parent)) == ("a.MP4", ".MP4", "s3://bucket/videos/P01")
    assert str(path.parent / "b.MP4") == "s3://bucket/videos/P01/b.MP4"
    assert path.relative_to(path_of("s3://bucket/videos")).as_posix() == "P01/a.MP4"
    assert path_of("https://host/clips.csv?download=1").suffix == ".csv"


@pytest.mark.parametrize("text", ["videos/a.mp4", "/data/s3/a", "s3", "/data/s3:/x/y", "ftp://host/x"])
def test_everything_else_is_a_path_on_disk(text: str) -> None:
    assert not is_remote(path_of(text))
    assert path_of(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("s3://", "with a bucket or host"), ("https://me:secret@host/x", "a password would be saved in the workspace")],
)
def test_an_address_without_a_host_or_with_a_password_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as error:
        path_of(text)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("use", [os.fspath, os.scandir, pq.read_table, lambda path: path.open("wb"), RemotePath.mkdir])
def test_what_needs_a_local_file_is_refused_with_the_way_out(use: Any) -> None:
    with pytest.raises(UsageError, match=r"s3://bucket/x: this is read from a local disk only. Copy it"):
        use(path_of("s3://bucket/x"))
    assert not Path("s3:").exists()


@pytest.mark.parametrize("folder", ["s3://bucket/work", Path("s3://bucket/work")])
def test_a_workspace_in_a_store_is_refused_with_the_reason(folder: Any) -> None:
    with pytest.raises(UsageError, match=r"workspace s3://bucket/work: a workspace lies on a disk"):
        refuse_remote_workspace(folder)


@pytest.fixture
def root(memory: Any) -> Path:
    for name in ("P01/a.MP4", "P01/b.mp4", "tall/0.mp4", "tall/300.mp4", "frames/img_1.jpg", "frames/img_2.jpg"):
        memory.pipe(f"/store/videos/{name}", b"x" * 10)
    return path_of("memory://store/videos")


def test_a_folder_is_listed_with_its_kinds(root: Path) -> None:
    assert [path.name for path in root.iterdir()] == ["P01", "frames", "tall"]
    assert sorted(names_in(root / "P01")) == ["a.MP4", "b.mp4"]
    assert [kind_of(root / name) for name in ("tall", "frames", "P01/a.MP4", "P01", "nothing")] == [
        *("chunks", "frames", "video"),
        *(None, None),
    ]
    assert root.is_dir()
    assert not root.is_file()
    assert (root / "P01" / "a.MP4").stat().st_size == 10
    assert not path_of("memory://store/nowhere").is_dir()


def test_videos_are_found_in_a_store_as_on_disk(root: Path) -> None:
    finder = VideoFinder([root])
    found = finder.find([Place("P01/a.mp4")])
    assert found is not None
    assert (found.relative, str(found.path)) == ("P01/a.MP4", "memory://store/videos/P01/a.MP4")
    assert finder.find([Place("P01/c.mp4"), Place("P09/a.mp4")]) is None


def test_a_folder_is_asked_for_once_however_many_videos_are_looked_up(
    root: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    listed = type(memory).ls

    def ls(store: Any, path: str, **more: Any) -> Any:
        asked.append(path)
        return listed(store, path, **more)

    monkeypatch.setattr(type(memory), "ls", ls)
    finder = VideoFinder([root])
    for number in range(50):
        finder.find([Place(f"P01/{number}.mp4"), Place("P01/a.mp4")])
    assert asked == ["memory://store/videos/P01"]


def test_what_was_listed_is_asked_again_after_forgetting(root: Path, memory: Any) -> None:
    assert not (root / "P01" / "c.mp4").is_file()
    memory.pipe("/store/videos/P01/c.mp4", b"x")
    assert not (root / "P01" / "c.mp4").is_file()
    stores.forget()
    assert (root / "P01" / "c.mp4").is_file()


def test_an_address_is_refused_where_only_a_disk_is_read_but_the_hub_has_its_own_ways() -> None:
    assert refuse_address("videos/a.mp4") == Path("videos/a.mp4")
    assert refuse_address("hf://owner/repo/a.pt") == Path("hf://owner/repo/a.pt")
    with pytest.raises(UsageError, match=r"gs://bucket/a.pt: this is read from a local disk only"):
        refuse_address("gs://bucket/a.pt")
