"""What ``xmic prepare`` takes on the command line alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from xmic_cli.options import BreakLock, Device, DryRun, Json, Offline, Workers, WorkspaceOption

_CHECK = "Videos"

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


@dataclass(frozen=True)
class PrepareCall:
    """How the command runs. Device and network are taken, as by every stage, and not needed."""

    check: Check = False
    list_needed: ListNeeded = False
    workspace: WorkspaceOption = None
    workers: Workers = None
    device: Device = "auto"
    offline: Offline = False
    dry_run: DryRun = False
    break_lock: BreakLock = False
    json: Json = False
