from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engine.atomic import replace_atomically, write_if_changed


def test_a_finished_block_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    for text in ("old", "new"):
        with replace_atomically(target) as temporary:
            temporary.write_text(text)
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["a.txt"]


def test_the_old_file_is_there_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replace_atomically(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == target.parent
        assert target.read_text() == "old"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file_and_removes_the_temporary_one(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), replace_atomically(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_wrote_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_atomically(tmp_path / "a.txt"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_file_is_flushed_before_it_is_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = tmp_path / "a.txt", []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(target.exists()))
    with replace_atomically(target) as temporary:
        temporary.write_text("new")
    assert seen == [False, True]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".a.txt.{socket.gethostname()}-{dead.pid}.tmp").write_text("half")
    with replace_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_reported_with_the_file_that_was_to_be_written(tmp_path):
    with pytest.raises(OSError) as raised, replace_atomically(tmp_path / "out.parquet"):
        raise OSError(28, "No space left on device")
    assert raised.value.filename == str(tmp_path / "out.parquet")


def test_a_text_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.json"
    write_if_changed(file, "ä\n")
    before = file.stat()
    write_if_changed(file, "ä\n")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_if_changed(file, "b\n")
    assert file.read_text("utf-8") == "b\n"
