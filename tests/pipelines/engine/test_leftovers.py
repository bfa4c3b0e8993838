from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipelines.engine.leftovers import remove_leftovers, temporary_name
from tests.ended_process import ended_process

HOST = socket.gethostname()


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    return ended_process()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_name_says_which_process_of_which_host_writes() -> None:
    assert temporary_name(".a.txt.", ".tmp") == f".a.txt.{HOST}-{os.getpid()}.tmp"


def test_files_and_folders_of_dead_processes_of_this_host_go_and_all_others_stay(tmp_path: Path, dead: int) -> None:
    folder = tmp_path / f"decode-{HOST}-{dead}"
    folder.mkdir()
    (folder / "half.arrow").touch()
    kept = {
        f"decode-{HOST}-{os.getppid()}",
        temporary_name("decode-"),
        f"decode-other-{dead}",
        # Another host whose name begins as ours does.
        f"decode-{HOST}-2-{dead}",
        f"decode-{HOST}-x",
        f"embed-{HOST}-{dead}",
    }
    for name in kept:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "decode-")
    assert names(tmp_path) == kept
    (tmp_path / f".a.txt.{HOST}-{dead}.tmp").touch()
    remove_leftovers(tmp_path, ".a.txt.", ".tmp")
    assert names(tmp_path) == kept


def test_who_holds_the_lock_removes_what_any_process_left_under_that_name(tmp_path: Path) -> None:
    for name in (f".a.parquet.{HOST}-{os.getppid()}.tmp", ".a.parquet.other-1.tmp", ".a.parquet.4711.tmp"):
        (tmp_path / name).touch()
    kept = {".b.parquet.other-1.tmp", "a.parquet", ".a.parquet.other-1"}
    for name in kept:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, ".a.parquet.", ".tmp", locked=True)
    assert names(tmp_path) == kept


def test_a_link_of_a_dead_process_goes_and_what_it_points_to_stays(tmp_path: Path, dead: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / f".latest.{HOST}-{dead}").symlink_to("run")
    remove_leftovers(tmp_path, ".latest.")
    assert names(tmp_path) == {"run"}


def test_signs_of_patterns_in_a_name_mean_themselves(tmp_path: Path, dead: int) -> None:
    for name in ("a[1]*", "a1x"):
        (tmp_path / f".{name}.{HOST}-{dead}.tmp").touch()
    remove_leftovers(tmp_path, ".a[1]*.", ".tmp")
    assert names(tmp_path) == {f".a1x.{HOST}-{dead}.tmp"}


def test_a_folder_that_is_not_there_has_nothing_left(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none", "decode-")
