"""Build parts of the command lines that messages tell users to run.

They are quoted where the shell needs it, so a user can type them unchanged.
"""

from __future__ import annotations

import shlex
from pathlib import Path


def in_workspace(root: Path) -> str:
    """Return the option ``-w FOLDER``, quoted for the shell."""
    return f"-w {shlex.quote(str(root))}"


def of_split(dataset: str, split: str, root: Path) -> str:
    """Return the arguments that name a split: ``DATASET --split SPLIT -w FOLDER``."""
    return f"{shlex.quote(dataset)} --split {split} {in_workspace(root)}"
