"""``xmic prepare ego4d``."""

from __future__ import annotations

import typer

from pipelines.prepare.options import Ego4dOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def ego4d(context: typer.Context, *, options: Ego4dOptions, shared: PrepareCall) -> None:
    """Ego4D FHO (long-term anticipation), from the official json files, v1 or v2.

    Videos may be clips, full-scale videos or folders of chunks; --pattern takes {clip_uid} and {video_uid}.
    --device and --offline are taken, as by every stage; reading text files needs neither.
    """
    run(context, options, shared)
