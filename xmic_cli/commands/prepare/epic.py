"""``xmic prepare epic``: read the annotations of EPIC-KITCHENS-100."""

from __future__ import annotations

import typer

from pipelines.prepare.options import EpicOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def epic(context: typer.Context, *, options: EpicOptions, shared: PrepareCall) -> None:
    """Prepare EPIC-KITCHENS-100 from the official csv files.

    Videos may be files, folders of chunks, folders of JPEGs or tars of JPEGs; --pattern takes {participant_id} and
    {video_id}. --device is accepted, as by every stage, and
    changes nothing; --offline refuses remote addresses.
    """
    run(context, options, shared)
