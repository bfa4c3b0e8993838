"""Explain errors of the disk in one line.

The line says what to do. None of these errors is a bug, so none needs a traceback.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

STDOUT = "standard output"
"""File name of an error that came from printing the result."""

_AGAIN = "The same command goes on from there."
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR)


def disk_error_of(error: Exception) -> OSError | None:
    """Find the disk error behind an exception; None without one.

    Libraries written in Rust (safetensors) give the number of the error in their text. PyTorch's writer gives none: a
    file that it could not write to the end counts as a full disk.
    """
    if isinstance(error, OSError):
        found = error
    elif number := re.search(r"\(os error (\d+)\)", str(error)):
        found = OSError(int(number[1]), os.strerror(int(number[1])))
    elif "inline_container.cc" in str(error) and re.search(r"unexpected pos|failed writing|write failed", str(error)):
        found = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    else:
        return None
    if found.errno in (*_FULL, *_FORBIDDEN, errno.EROFS):
        return found
    return found if found.errno in _IN_THE_WAY and _file_in_the_way(found) is not None else None


def in_words(error: OSError, broken_output: bool = False) -> str:
    """Explain a disk error: what, where, and what to do next.

    Args:
        error: an error of :func:`disk_error_of`.
        broken_output: standard output accepts nothing any more.
    """
    name = error.filename
    if name == STDOUT or (name is None and broken_output):
        return (
            f"{STDOUT} cannot be written to ({os.strerror(error.errno or 0)}). What was finished is kept; "
            "run the same command with its output elsewhere."
        )
    where = _path_of(error)
    if error.errno in _FULL:
        at = f"{where}: " if where else ""
        return f"{at}no space left on the disk. Free some, or name another workspace with -w. {_AGAIN}"
    at = f"{where or 'a file'}: "
    if error.errno == errno.EROFS:
        return f"{at}on a file system that is read-only. Name a folder that can be written to (workspace: -w)."
    if error.errno in _FORBIDDEN:
        return f"{at}no permission. Give this user access to it, or name another place (workspace: -w)."
    return (
        f"{_file_in_the_way(error)}: a file lies where a folder must be. Move it away, or name another folder "
        "(workspace: -w)."
    )


def _path_of(error: OSError) -> str:
    """Return the error's path, or the path that its text quotes.

    pyarrow quotes it there.
    """
    if isinstance(error.filename, str | bytes | os.PathLike):
        return os.fsdecode(error.filename)
    quoted = re.search(r"'([^']+)'", error.strerror or "")
    return quoted[1] if quoted else ""


def _file_in_the_way(error: OSError) -> Path | None:
    """Find the file where the error's path needs a folder.

    It is the nearest part of the path that exists; None where that is a folder.
    """
    name = _path_of(error)
    there = next((path for path in (Path(name), *Path(name).parents) if os.path.lexists(path)), None) if name else None
    return None if there is None or there.is_dir() else there
