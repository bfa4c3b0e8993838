"""``xmic prepare own``: read a dataset with the user's own reader."""

from __future__ import annotations

import typer

from pipelines.prepare.options import OwnOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def own(context: typer.Context, *, options: OwnOptions, shared: PrepareCall) -> None:
    """Prepare a dataset with a reader class of your own.

    The class has the form of data_manifests.readers.Reader. Python must be able to import it; no fork of xmic is
    needed. --device and --offline are accepted, as by every stage.
    """
    run(context, options, shared)
