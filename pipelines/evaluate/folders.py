"""Where evaluations stand: a control's folder is named by the run and by what it replaces."""

from __future__ import annotations

_BETWEEN = "@"


def folder_name(run: str, vectors: str) -> str:
    """The folder of a run's evaluations below ``evaluations/``."""
    return run if vectors == "own" else f"{run}{_BETWEEN}{vectors}"


def parse_folder_name(name: str) -> tuple[str, str]:
    """The run and the vectors of a folder; the reverse of :func:`folder_name`."""
    run, _, vectors = name.partition(_BETWEEN)
    return run, vectors or "own"
