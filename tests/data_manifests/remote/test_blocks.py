from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from data_manifests.remote.blocks import Blocks
from data_manifests.remote.errors import RemoteError

LIMIT = 1000


def kept(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".block", ".part"))


def test_copies_never_take_more_than_the_limit(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path, LIMIT)
    for number in range(50):
        blocks.put("file", number, bytes([number]) * 90)
        assert kept(tmp_path) <= LIMIT
    assert blocks.get("file", 49, 90) == bytes([49]) * 90
    assert blocks.get("file", 0, 90) is None


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path, LIMIT)
    for number in range(10):
        blocks.put("file", number, b"x" * 100)
        os.utime(tmp_path / f"file-{number}.block", (number, number))
    assert blocks.get("file", 0, 100)  # now it is the one used last
    blocks.put("file", 10, b"x" * 100)
    assert blocks.get("file", 0, 100)
    assert blocks.get("file", 1, 100) is None


def test_a_block_of_another_size_counts_as_absent(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path, LIMIT)
    blocks.put("file", 0, b"x" * 90)
    (tmp_path / "file-0.block").write_bytes(b"x" * 50)
    assert blocks.get("file", 0, 90) is None


def test_what_a_killed_process_left_is_removed_and_counted_until_then(tmp_path: Path) -> None:
    (tmp_path / "killed-0.part").write_bytes(b"x" * 900)  # there is no count yet: the folder is looked through
    blocks = Blocks(tmp_path, LIMIT)
    blocks.put("file", 0, b"y" * 90)
    assert not (tmp_path / "killed-0.part").exists()
    assert blocks.get("file", 0, 90)


def test_a_wrong_count_is_mended_when_the_limit_seems_reached(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path, LIMIT)
    blocks.put("file", 0, b"y" * 90)
    (tmp_path / "bytes").write_text("990")
    blocks.put("file", 1, b"y" * 90)
    assert blocks.get("file", 0, 90)
    assert (tmp_path / "bytes").read_text() == "180"


def _fill(folder: str, name: str) -> None:
    blocks = Blocks(Path(folder), LIMIT)
    for number in range(60):
        blocks.put(name, number, f"{name}{number:03}".encode() * 20)


def test_processes_share_the_folder_and_its_limit(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_fill, args=(str(tmp_path), name)) for name in "abc"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert sum(size_of(file) for file in list(tmp_path.iterdir())) <= LIMIT + 30
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    for file in tmp_path.glob("*.block"):
        name, _, number = file.stem.partition("-")
        assert file.read_bytes() == f"{name}{int(number):03}".encode() * 20


def size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _sending(parts: list[bytes]) -> Callable[[Callable[[bytes], object]], None]:
    def download(write: Callable[[bytes], object]) -> None:
        for part in parts:
            write(part)

    return download


def test_a_whole_file_is_downloaded_once_and_outlives_its_removal(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path, LIMIT)
    handle = blocks.whole("film", 600, "https://host/film", _sending([b"a" * 300, b"b" * 300]))
    assert blocks.whole("film", 600, "https://host/film", _sending([])) > 0
    blocks.put("file", 0, b"y" * 600)
    assert not (tmp_path / "film-0.block").exists()
    assert os.pread(handle, 600, 0) == b"a" * 300 + b"b" * 300


def test_a_whole_file_above_the_limit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match=r"https://host/film: .* larger than --scratch-size"):
        Blocks(tmp_path, LIMIT).whole("film", 1001, "https://host/film", _sending([]))


def test_a_download_that_is_cut_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="https://host/film: 300 of 600 bytes came"):
        Blocks(tmp_path, LIMIT).whole("film", 600, "https://host/film", _sending([b"a" * 300]))
    assert kept(tmp_path) == 0


def test_a_folder_that_cannot_be_written_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RemoteError, match=r"file: local copies .* cannot be kept here .* --scratch"):
        Blocks(tmp_path / "file", LIMIT).put("a", 0, b"x")
