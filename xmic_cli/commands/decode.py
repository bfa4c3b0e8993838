"""``xmic decode``: videos to the frames of a plan."""

from __future__ import annotations

import typer

from pipelines.decode.options import DecodeOptions
from xmic_cli.options import Dataset, Split, StageOptions
from xmic_cli.spread import spread


@spread
def decode(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    *,
    options: DecodeOptions,
    shared: StageOptions,
) -> None:
    """Decode the frames of every clip and keep them as JPEG.

    Each video is read once, and frames are chosen by presentation time. Each video is decoded in a process of its own:
    a video that crashes or hangs becomes a failure row.
    """
    from pipelines.chain.stages import decode_stages
    from xmic_cli.stages import run_stages

    stages = decode_stages(shared.open(context), dataset, split, options, shared.machine)
    run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json)
