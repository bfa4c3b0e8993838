"""Options that every dataset format takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.options import BreakLock, Device, DryRun, Json, MaxFailures, Offline, Workers, WorkspaceOption

_CHECK = "Videos"

Videos = Annotated[
    list[Path] | None,
    typer.Option("--videos", help="Folder with the videos; may be repeated, first hit wins.", rich_help_panel=_CHECK),
]
Pattern = Annotated[
    list[str] | None,
    typer.Option(
        "--pattern",
        help="Where a video lies below a root, instead of the known trees; may be repeated.",
        rich_help_panel=_CHECK,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Look at each video too: missing, unreadable, shorter than annotated, timed otherwise. Never an error.",
        rich_help_panel=_CHECK,
    ),
]
ListNeeded = Annotated[
    bool,
    typer.Option(
        "--list-needed",
        help="Print the ids of the videos that are not there as the official downloader takes them, nothing else; "
        "with --check also of those that are broken.",
        rich_help_panel=_CHECK,
    ),
]
Splits = Annotated[
    list[str] | None,
    typer.Option("--split", help="train, val or test; may be repeated. (default: those with a file)"),
]
Name = Annotated[str, typer.Option(help="Name in the workspace.")]
LimitClips = Annotated[int | None, typer.Option("--limit", min=1, help="Keep only the first N clips of a split.")]


@dataclass(frozen=True)
class PrepareOptions:
    """What ``xmic prepare`` takes of every dataset. Device and network are taken, as by every stage, and not needed."""

    videos: Videos = None
    check: Check = False
    list_needed: ListNeeded = False
    split: Splits = None
    limit: LimitClips = None
    max_failures: MaxFailures = "50%"
    workspace: WorkspaceOption = None
    workers: Workers = None
    device: Device = "auto"
    offline: Offline = False
    dry_run: DryRun = False
    break_lock: BreakLock = False
    json: Json = False
