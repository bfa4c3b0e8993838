"""``xmic prepare epic``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import Name, Pattern, PrepareOptions
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def epic(
    context: typer.Context,
    annotations: Annotated[Path, typer.Option(help="Folder with EPIC_100_train.csv, EPIC_100_validation.csv, …")],
    pattern: Pattern = None,
    name: Name = "epic",
    *,
    shared: PrepareOptions,
) -> None:
    """EPIC-KITCHENS-100, from the official csv files.

    Videos may be files, folders of chunks, folders of JPEGs or tars of JPEGs; --pattern takes {participant_id} and
    {video_id}. --device and --offline are taken, as by every stage; reading text files needs neither.
    """
    from data_manifests.readers.epic import EpicReader

    run(context, name, EpicReader(annotations, pattern or []), shared)
