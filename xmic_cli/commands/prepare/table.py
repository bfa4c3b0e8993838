"""``xmic prepare table``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import PrepareOptions
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def table(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="[SPLIT=]FILE…", help="CSV, Parquet or JSON lines; train=FILE sets its split."),
    ],
    name: Annotated[str, typer.Option(help="Name in the workspace.")],
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS", help="Map a column, e.g. video=path; noun= if it has no nouns; may be repeated."
        ),
    ] = None,
    nouns: Annotated[Path | None, typer.Option(help="Noun classes, one a line. (default: those in the data)")] = None,
    verbs: Annotated[Path | None, typer.Option(help="Verb classes, one a line. (default: those in the data)")] = None,
    *,
    shared: PrepareOptions,
) -> None:
    """Your own clips: a table with a video, start and stop seconds, verb and noun in each row.

    Only the column video must be there; the others are start_s, stop_s, verb, noun, all_nouns, split, narration,
    clip_id, participant_id, recording_id, and start_frame and stop_frame where videos are numbered JPEGs.
    Without --videos, paths are relative to the folder of the first table. --device and --offline are taken, as by
    every stage; reading text files needs neither.
    """
    from data_manifests.readers.table import TableReader, parse_columns, parse_files

    tables = parse_files(files)
    roots = shared.videos or [tables[0][0].parent]
    class_files = {label: file for label, file in (("noun", nouns), ("verb", verbs)) if file}
    reader = TableReader(tables, parse_columns(column or []), roots, class_files)  # type: ignore[arg-type]
    run(context, name, reader, replace(shared, videos=roots))
