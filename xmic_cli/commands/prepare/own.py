"""``xmic prepare own``."""

from __future__ import annotations

import typer

from pipelines.prepare.options import OwnOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def own(context: typer.Context, *, options: OwnOptions, shared: PrepareCall) -> None:
    """A dataset format of your own, by a reader that Python can import; no fork of xmic is needed.

    The class has the form of data_manifests.readers.Reader. --device and --offline are taken, as by every stage.
    """
    run(context, options, shared)
