"""``xmic prepare ego4d``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import Name, Pattern, PrepareOptions
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
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
    pattern: Pattern = None,
    name: Name = "ego4d",
    *,
    shared: PrepareOptions,
) -> None:
    """Ego4D FHO (long-term anticipation), from the official json files, v1 or v2.

    Videos may be clips, full-scale videos or folders of chunks; --pattern takes {clip_uid} and {video_uid}.
    --device and --offline are taken, as by every stage; reading text files needs neither.
    """
    from data_manifests.readers.ego4d import Ego4dReader, window_of

    run(context, name, Ego4dReader(annotations, window_of(preset, window), pattern or []), shared)
