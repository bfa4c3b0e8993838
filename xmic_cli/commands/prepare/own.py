"""``xmic prepare own``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import PrepareOptions
from xmic_cli.commands.prepare.result import run
from xmic_cli.settings import ReaderSettings, toml_settings
from xmic_cli.spread import spread


@spread
def own(
    context: typer.Context,
    reader: Annotated[str, typer.Option(metavar="PACKAGE.MODULE:CLASS", help="Your reader; see xmic check-plugin.")],
    name: Annotated[str, typer.Option(help="Name in the workspace.")],
    annotations: Annotated[
        Path | None, typer.Option(help="Given to the reader as its argument annotations. (default: not given)")
    ] = None,
    set_: ReaderSettings = None,
    *,
    shared: PrepareOptions,
) -> None:
    """A dataset format of your own, by a reader that Python can import; no fork of xmic is needed.

    The class has the form of data_manifests.readers.Reader. --device and --offline are taken, as by every stage.
    """
    from pipelines.chain.readers import own_reader

    run(context, name, own_reader(reader, annotations, toml_settings(set_ or [])), shared)
