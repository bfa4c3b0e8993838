"""``xmic prepare egtea``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import Check, LimitClips, ListNeeded, Name, Pattern, Splits, Videos
from xmic_cli.commands.prepare.result import Request, run
from xmic_cli.options import BreakLock, Device, DryRun, Json, Offline, Workers, WorkspaceOption


def egtea(
    context: typer.Context,
    annotations: Annotated[Path, typer.Option(help="Folder with train_split1.txt, …, verb_idx.txt, noun_idx.txt.")],
    drop_empty_class: Annotated[
        bool,
        typer.Option("--drop-empty-class", help="53 nouns and 19 verbs, without the empty class of code and paper."),
    ] = False,
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
    """EGTEA Gaze+, from the official text files; test is the union of the test splits that are there.

    --pattern takes {session} and {clip_id}. --device and --offline are taken, as by every stage; reading text files
    needs neither.
    """
    from data_manifests.readers.egtea import EgteaReader

    request = Request(
        name or "egtea", videos or [], split, limit, check, list_needed, workspace, workers, dry_run, break_lock, json
    )
    run(context, EgteaReader(annotations, not drop_empty_class, pattern or []), request)
