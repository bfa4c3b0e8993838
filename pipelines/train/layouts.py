"""Mark layouts of vectors or pictures as complete, and check them.

A layout is a cache: a damaged one is made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.sealed import sealed

_DONE, _FILES = "done.json", "files"


def seal_layout(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Mark the files of a layout as complete.

    Returns:
        The facts, with the sha256 of every file under 'files'.
    """
    files = {path.name: whole_file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}
    done = sealed({**facts, _FILES: files})
    with replace_atomically(folder / _DONE) as temporary:
        temporary.write_text(json.dumps(done, sort_keys=True))
    return done


def _sha256(path: Path) -> str:
    found = path.stat()
    return _sha256_of(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, modified: int, size: int) -> str:
    """Read a file once per process: evaluations of many runs load the same layouts."""
    return whole_file_sha256(path)


def laid_out(folder: Path) -> dict[str, Any] | None:
    """Read the facts of a complete layout.

    They are None where the layout is to be made. Every byte of it is read: a damaged
    layout would give other vectors or pictures.
    """
    try:
        done = json.loads((folder / _DONE).read_text())
        files = done[_FILES]
        whole = sealed(done) == done and all(_sha256(folder / name) == files[name] for name in files)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return done if whole and files else None
