"""``xmic prepare epic``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import Check, LimitClips, ListNeeded, Name, Pattern, Splits, Videos
from xmic_cli.commands.prepare.result import Request, run
from xmic_cli.options import BreakLock, Device, DryRun, Json, Offline, Workers, WorkspaceOption


def epic(
    context: typer.Context,
    annotations: Annotated[Path, typer.Option(help="Folder with EPIC_100_train.csv, EPIC_100_validation.csv, …")],
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
    """EPIC-KITCHENS-100, from the official csv files.

    Videos may be files, folders of chunks, folders of JPEGs or tars of JPEGs; --pattern takes {participant_id} and
    {video_id}. --device and --offline are taken, as by every stage; reading text files needs neither.
    """
    from data_manifests.readers.epic import EpicReader

    request = Request(
        name or "epic", videos or [], split, limit, check, list_needed, workspace, workers, dry_run, break_lock, json
    )
    run(context, EpicReader(annotations, pattern or []), request)
