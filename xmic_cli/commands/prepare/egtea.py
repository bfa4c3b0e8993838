"""``xmic prepare egtea``: read the annotations of EGTEA Gaze+."""

from __future__ import annotations

import typer

from pipelines.prepare.options import EgteaOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def egtea(context: typer.Context, *, options: EgteaOptions, shared: PrepareCall) -> None:
    """Prepare EGTEA Gaze+ from the official text files.

    The split test is the union of the test splits that are there. --pattern takes {session} and {clip_id}. --device
    is accepted, as by every stage, and changes nothing; --offline refuses remote addresses.
    """
    run(context, options, shared)
