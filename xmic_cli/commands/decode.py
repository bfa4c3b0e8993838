"""``xmic decode``: videos to the frames that a plan wants."""

from __future__ import annotations

from typing import Annotated

import typer

from xmic_cli.options import (
    BreakLock,
    Dataset,
    Device,
    DryRun,
    Json,
    Limit,
    MaxFailures,
    Offline,
    RetryFailed,
    Shard,
    Split,
    Workers,
    WorkspaceOption,
    choice_of,
    machine_of,
    open_workspace,
)


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
    workspace: WorkspaceOption = None,
    limit: Limit = None,
    shard: Shard = None,
    retry_failed: RetryFailed = False,
    max_failures: MaxFailures = "5%",
    break_lock: BreakLock = False,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Read every wanted frame of every video in one visit, by presentation time, and keep it as JPEG.

    Each video is decoded in a process of its own: one that crashes or hangs becomes a failure row.
    """
    from pipelines.chain import DecodeOptions, decode_stages
    from xmic_cli.stages import run_stages

    options = DecodeOptions(segments, candidates, short_side, quality, video_timeout)
    machine = machine_of(workers, device, offline)
    stages = decode_stages(open_workspace(context, workspace), dataset, split, options, machine)
    choice = choice_of(limit, shard, retry_failed, max_failures, break_lock)
    run_stages(stages, choice, dry_run=dry_run, json=json)
