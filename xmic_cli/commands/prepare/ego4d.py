"""``xmic prepare ego4d``: read the annotations of Ego4D."""

from __future__ import annotations

import typer

from pipelines.prepare.options import Ego4dOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def ego4d(context: typer.Context, *, options: Ego4dOptions, shared: PrepareCall) -> None:
    """Prepare Ego4D FHO (long-term anticipation) from the official json files.

    Both v1 and v2 are read. Videos may be clips, full-scale videos or folders of chunks; --pattern takes {clip_uid} and
    {video_uid}. --device is accepted, as by every stage, and
    changes nothing; --offline refuses remote addresses.
    """
    run(context, options, shared)
