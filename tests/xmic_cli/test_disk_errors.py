from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from xmic_cli.disk_errors import STDOUT, disk_error_of, in_words


def _error(number: int, name: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), name) if name else OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left on the disk. Free some, or name another workspace with -w. The same command"),
        (errno.EDQUOT, "no space left on the disk."),
        (errno.EROFS, "on a file system that is read-only. Name a folder that can be written to (workspace: -w)."),
        (errno.EACCES, "no permission. Give this user access to it, or name another place (workspace: -w)."),
        (errno.EPERM, "no permission."),
    ],
)
def test_a_refusal_names_the_path_and_the_next_step(number: int, said: str) -> None:
    found = disk_error_of(_error(number, "/disk/a.parquet"))
    assert found is not None
    assert in_words(found).startswith(f"/disk/a.parquet: {said}")


def test_a_file_where_a_folder_must_be_is_named_itself(tmp_path: Path) -> None:
    file = tmp_path / "work"
    file.write_text("")
    for make in (file.mkdir, (file / "manifests").mkdir, (file / "a" / "b").touch):
        with pytest.raises(OSError) as raised:
            make()
        found = disk_error_of(raised.value)
        assert found is not None
        assert in_words(found).startswith(f"{file}: a file lies where a folder must be. Move it away")


def test_a_folder_that_is_there_already_is_no_refusal_of_a_disk(tmp_path: Path) -> None:
    assert disk_error_of(_error(errno.EEXIST, str(tmp_path))) is None


@pytest.mark.parametrize("error", [_error(errno.EIO, "/data/a"), _error(errno.ENOENT, "/data/a"), ValueError("x")])
def test_what_is_something_else_stays_what_it_is(error: Exception) -> None:
    assert disk_error_of(error) is None


def test_pyarrow_says_the_path_in_its_text() -> None:
    error = PermissionError(13, "Failed to open local file '/data/a.parquet'. Detail: [errno 13] Permission denied")
    assert in_words(error).startswith("/data/a.parquet: no permission")


@pytest.mark.parametrize(
    "text",
    [
        "Error while serializing: I/O error: No space left on device (os error 28)",
        "[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534",
    ],
)
def test_a_full_disk_is_known_from_writers_that_raise_errors_of_their_own(text: str) -> None:
    found = disk_error_of(RuntimeError(text))
    assert found is not None
    assert in_words(found).startswith("no space left on the disk.")


def test_a_broken_output_is_not_taken_for_a_full_workspace() -> None:
    for error, broken in ((_error(errno.ENOSPC, STDOUT), False), (_error(errno.ENOSPC), True)):
        assert in_words(error, broken).startswith("standard output cannot be written to (No space left on device).")
    assert in_words(_error(errno.ENOSPC, "/data/a"), True).startswith("/data/a: no space left")
