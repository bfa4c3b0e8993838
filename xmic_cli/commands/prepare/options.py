"""Options of ``xmic prepare`` on the command line alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from data_manifests.remote.access import DEFAULT_SIZE
from pipelines.decode.media_rules import MAX_PIXELS
from xmic_cli.options import (
    BreakLock,
    Device,
    DryRun,
    Json,
    Offline,
    Scratch,
    ScratchSize,
    Workers,
    WorkspaceOption,
)

_CHECK = "Videos"

Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Also check each video: missing, unreadable, shorter than annotated, timed otherwise. Never an error.",
        rich_help_panel=_CHECK,
    ),
]
Deep = Annotated[
    bool,
    typer.Option(
        "--deep",
        help="With --check: decode every video once and count its damaged frames, which xmic decode recalls. Slow.",
        rich_help_panel=_CHECK,
    ),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels", min=1, help="With --check: most pixels of a frame, as for xmic decode.", rich_help_panel=_CHECK
    ),
]
ListNeeded = Annotated[
    bool,
    typer.Option(
        "--list-needed",
        help="Print only the ids of the missing videos, as the official downloader takes them; with --check also "
        "those of broken videos.",
        rich_help_panel=_CHECK,
    ),
]


@dataclass(frozen=True)
class PrepareCall:
    """Options of one call of ``xmic prepare``.

    Device is accepted, as by every stage, but not needed; the network only for remote annotations and videos.
    """

    check: Check = False
    deep: Deep = False
    max_pixels: MaxPixels = MAX_PIXELS
    list_needed: ListNeeded = False
    workspace: WorkspaceOption = None
    workers: Workers = None
    device: Device = "auto"
    offline: Offline = False
    scratch: Scratch = None
    scratch_size: ScratchSize = DEFAULT_SIZE
    dry_run: DryRun = False
    break_lock: BreakLock = False
    json: Json = False
