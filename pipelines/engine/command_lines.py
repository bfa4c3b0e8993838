"""Parts of the command lines that messages tell the user to run: they can be typed as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path


def in_workspace(root: Path) -> str:
    """``-w`` and the folder, in quotes where the shell needs them."""
    return f"-w {shlex.quote(str(root))}"


def of_split(dataset: str, split: str, root: Path) -> str:
    """What every command on one split is told: ``DATASET --split SPLIT -w FOLDER``."""
    return f"{shlex.quote(dataset)} --split {split} {in_workspace(root)}"
