"""``xmic prepare ego4d``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import Check, LimitClips, ListNeeded, Name, Pattern, Splits, Videos
from xmic_cli.commands.prepare.result import Request, run
from xmic_cli.options import BreakLock, Device, DryRun, Json, Offline, Workers, WorkspaceOption


def ego4d(
    context: typer.Context,
    annotations: Annotated[Path, typer.Option(help="Folder with fho_lta_train.json, …, fho_lta_taxonomy.json.")],
    preset: Annotated[
        str | None,
        typer.Option(help="official: the central 4 s of each segment; paper: all 8 s. (default: official)"),
    ] = None,
    window: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Another central window, the same for every split.")
    ] = None,
    videos: Videos = None,
    pattern: Pattern = None,
    check: Check = False,
    list_needed: ListNeeded = False,
    split: Splits = None,
    name: Name = None,
    limit: LimitClips = None,
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    break_lock: BreakLock = False,
    json: Json = False,
) -> None:
    """Ego4D FHO (long-term anticipation), from the official json files, v1 or v2.

    Videos may be clips, full-scale videos or folders of chunks; --pattern takes {clip_uid} and {video_uid}.
    --device and --offline are taken, as by every stage; reading text files needs neither.
    """
    from data_manifests.readers.ego4d import Ego4dReader, window_of

    request = Request(
        name or "ego4d", videos or [], split, limit, check, list_needed, workspace, workers, dry_run, break_lock, json
    )
    run(context, Ego4dReader(annotations, window_of(preset, window), pattern or []), request)
