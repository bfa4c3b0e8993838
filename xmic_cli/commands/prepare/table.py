"""``xmic prepare table``: read a table of clips."""

from __future__ import annotations

import typer

from pipelines.prepare.options import TableOptions
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def table(context: typer.Context, *, options: TableOptions, shared: PrepareCall) -> None:
    """Prepare your own clips from a table, one clip per row.

    A row has a video, start and stop times, verb and noun. Only the column video is required. The others are start_s,
    stop_s, verb, noun, all_nouns, split, narration, clip_id, participant_id, recording_id, and start_frame and
    stop_frame where videos are numbered JPEGs or --fps is given. Times are seconds, m:ss or h:mm:ss. Without --videos,
    paths are relative to the folder of the first table.

    Rows need a split: in a column, as train=FILE, or chosen by --holdout.

    --device is accepted, as by every stage, and changes nothing; --offline refuses remote addresses.
    """
    run(context, options, shared)
