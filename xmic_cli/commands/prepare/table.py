"""``xmic prepare table``."""

from __future__ import annotations

import typer

from pipelines.prepare.options import TableOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def table(context: typer.Context, *, options: TableOptions, shared: PrepareCall) -> None:
    """Your own clips: a table with a video, start and stop seconds, verb and noun in each row.

    Only the column video must be there; the others are start_s, stop_s, verb, noun, all_nouns, split, narration,
    clip_id, participant_id, recording_id, and start_frame and stop_frame where videos are numbered JPEGs.
    Without --videos, paths are relative to the folder of the first table. --device and --offline are taken, as by
    every stage; reading text files needs neither.
    """
    run(context, options, shared)
