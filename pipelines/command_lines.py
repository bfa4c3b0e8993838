"""Parts of the command lines that messages tell the user to run: they can be typed as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

from pipelines.embed.encoders.spec import POCKET
from pipelines.workspace import Workspace


def in_workspace(root: Path) -> str:
    """``-w`` and the folder, in quotes where the shell needs them."""
    return f"-w {shlex.quote(str(root))}"


def of_split(dataset: str, split: str, root: Path) -> str:
    """What every command on one split is told: ``DATASET --split SPLIT -w FOLDER``."""
    return f"{shlex.quote(dataset)} --split {split} {in_workspace(root)}"


def encoder_option(workspace: Workspace, encoder: str | None, recorded: str | None = None) -> str:
    """``--encoder`` with the spec that is wanted; with NAME, for the user to fill in, where it is not known.

    Args:
        workspace: knows where the files of encoders lie.
        encoder: a folder name, or a spec as a user gives it; None = any.
        recorded: the spec that the encoder's vectors were made with, which holds no folders.
    """
    spec = workspace.encoders.get(encoder or "") or recorded
    if spec is None and encoder is not None and (":" in encoder or encoder == POCKET):
        spec = encoder
    return f"--encoder {shlex.quote(spec) if spec else 'NAME'}"
