"""``xmic decode``: videos to the frames that a plan wants."""

from __future__ import annotations

from typing import Annotated

import typer

from xmic_cli.options import Dataset, Split, StageOptions
from xmic_cli.spread import spread


@spread("shared", StageOptions)
def decode(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    segments: Annotated[int, typer.Option(min=1, help="Equal segments of a clip, one frame each.")] = 16,
    candidates: Annotated[
        int | None,
        typer.Option(min=1, help="Instants a segment to draw from. (default: 3 for train, 1 else)"),
    ] = None,
    short_side: Annotated[int, typer.Option(min=0, help="Short side in pixels, never upscaled; 0 = as it is.")] = 256,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality.")] = 95,
    video_timeout: Annotated[float, typer.Option(help="Give a silent video up after so many seconds.")] = 120.0,
    *,
    shared: StageOptions,
) -> None:
    """Read every wanted frame of every video in one visit, by presentation time, and keep it as JPEG.

    Each video is decoded in a process of its own: one that crashes or hangs becomes a failure row.
    """
    from pipelines.chain.stages import DecodeOptions, decode_stages
    from xmic_cli.stages import run_stages

    options = DecodeOptions(segments, candidates, short_side, quality, video_timeout)
    stages = decode_stages(shared.open(context), dataset, split, options, shared.machine)
    run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json)
