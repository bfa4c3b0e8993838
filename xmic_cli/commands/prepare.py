"""``xmic prepare``: annotation files to manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.options import (
    BreakLock,
    Device,
    DryRun,
    Json,
    Offline,
    Workers,
    WorkspaceOption,
    open_workspace,
)

if TYPE_CHECKING:
    from data_manifests.readers import Reader

app = typer.Typer(
    no_args_is_help=True,
    help="Read a dataset's annotation files into manifests: every row a clip or a reject with its reason.",
)

Videos = Annotated[
    list[Path] | None,
    typer.Option("--videos", help="Folder with the videos; may be repeated, first hit wins."),
]
Splits = Annotated[list[str] | None, typer.Option("--split", help="train, val or test; may be repeated.")]
LimitClips = Annotated[int | None, typer.Option("--limit", min=1, help="Keep only the first N clips of a split.")]


@app.command("epic")
def epic(
    context: typer.Context,
    annotations: Annotated[Path, typer.Option(help="Folder with EPIC_100_train.csv, EPIC_100_validation.csv, …")],
    videos: Videos = None,
    split: Splits = None,
    name: Annotated[str, typer.Option(help="Name in the workspace.")] = "epic",
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

    --workers, --device and --offline are taken, as by every stage; reading text files needs none of them.
    """
    from data_manifests.readers.epic import EpicReader

    _prepare(context, name, EpicReader(annotations), videos, split, limit, workspace, dry_run, break_lock, json)


@app.command("table")
def table(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="[SPLIT=]FILE…", help="CSV, Parquet or JSON lines; train=FILE sets its split."),
    ],
    name: Annotated[str, typer.Option(help="Name in the workspace.")],
    videos: Videos = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="Map a column, e.g. video=path; may be repeated."),
    ] = None,
    nouns: Annotated[Path | None, typer.Option(help="Noun classes, one a line. (default: those in the data)")] = None,
    verbs: Annotated[Path | None, typer.Option(help="Verb classes, one a line. (default: those in the data)")] = None,
    split: Splits = None,
    limit: LimitClips = None,
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    break_lock: BreakLock = False,
    json: Json = False,
) -> None:
    """Your own clips: a table with a video, start and stop seconds, verb and noun in each row.

    Columns: video, start_s, stop_s, verb, noun, split, narration, clip_id, participant_id; only video must be there.
    Without --videos, paths are relative to the folder of the first table.
    """
    from data_manifests.readers.table import TableReader, parse_columns, parse_files

    tables = parse_files(files)
    roots = videos or [tables[0][0].parent]
    class_files = {label: file for label, file in (("noun", nouns), ("verb", verbs)) if file}
    reader = TableReader(tables, parse_columns(column or []), roots, class_files)  # type: ignore[arg-type]
    _prepare(context, name, reader, roots, split, limit, workspace, dry_run, break_lock, json)


def _prepare(
    context: typer.Context,
    name: str,
    reader: Reader,
    videos: list[Path] | None,
    split: list[str] | None,
    limit: int | None,
    workspace: Path | None,
    dry_run: bool,
    break_lock: bool,
    json: bool,
) -> None:
    from data_manifests.schema import canonical_split
    from pipelines.prepare import prepare

    result = prepare(
        open_workspace(context, workspace),
        name,
        reader,
        videos or [],
        splits=[canonical_split(item) for item in split or []],
        limit=limit,
        dry_run=dry_run,
        break_lock=break_lock,
        progress=console.progress(),
    )
    if dry_run:
        console.emit({"would_write": result.plan}, json, result.plan or ["nothing to do: the manifests are up to date"])
        return
    console.emit(vars(result), json, _lines(name, vars(result)))


def _lines(name: str, result: dict[str, Any]) -> list[str]:
    lines = []
    for split, counts in result["splits"].items():
        present = counts["classes_present"]
        lines.append(
            f"{name} {split}: {counts['clips']} clips of {counts['videos']} videos "
            f"({counts['missing_videos']} of them not found), {counts['rejects']} rejected rows, "
            + ", ".join(f"{present[label]} of {result['classes'][label]} {label} classes" for label in present)
        )
        lines += [f"  rejected: {count} {reason}" for reason, count in counts["reject_reasons"].items()]
    if not result["made"]:
        lines.append("nothing to do: the manifests were up to date")
    return lines
