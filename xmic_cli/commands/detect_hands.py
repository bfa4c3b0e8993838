"""``xmic detect-hands``: frames to raw hand boxes."""

from __future__ import annotations

from pathlib import Path
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


def detect_hands(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    detector: Annotated[str, typer.Option(help="yolo, or package.module:Class.")] = "yolo",
    weights: Annotated[Path | None, typer.Option(help="Ultralytics detection weights (.pt).")] = None,
    hand_class: Annotated[
        str | None, typer.Option(help="Class of the weights that is a hand. (default: the one named hand)")
    ] = None,
    image_size: Annotated[int, typer.Option(min=32, help="Side of the network's square input, pixels.")] = 640,
    batch_size: Annotated[int, typer.Option(min=1, help="Frames a forward pass; fixed, the last one is padded.")] = 16,
    plan: Annotated[str | None, typer.Option(help="Frame plan (folder name). (default: the only one)")] = None,
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
    """Find hands in every decoded frame and keep all boxes with a score of at least 0.01.

    Which boxes count, and how they become a crop, is decided later by xmic embed.
    """
    from pipelines.chain import HandsOptions, hands_stages
    from xmic_cli.stages import run_stages

    options = HandsOptions(detector, weights, hand_class, image_size, batch_size, plan)
    machine = machine_of(workers, device, offline)
    stages = hands_stages(open_workspace(context, workspace), dataset, split, options, machine)
    choice = choice_of(limit, shard, retry_failed, max_failures, break_lock)
    run_stages(stages, choice, dry_run=dry_run, json=json)
