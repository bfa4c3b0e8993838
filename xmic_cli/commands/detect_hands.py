"""``xmic detect-hands``: frames to raw hand boxes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import typer

from pipelines.chain.executor_options import ExecutorOptions
from pipelines.hands.options import HandsOptions
from xmic_cli.options import Dataset, Devices, Split, StageOptions
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread


@spread
def detect_hands(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    devices: Devices = None,
    *,
    options: HandsOptions,
    shared: StageOptions,
    where: ExecutorOptions,
) -> None:
    """Find hands in every decoded frame, or import boxes.

    All boxes with a score of at least 0.01 are kept. xmic embed decides later which of them count and how they become a
    crop.

    A table of boxes has the columns video (the manifest's id), time_s or frame, x0, y0, x1, y1 and score.

    time_s: seconds from the video's first frame. frame: the number of a JPEG, where frames came from numbered JPEGs.

    Corners are shares of the frame's sides, or pixels where the table has columns width and height.

    Columns side (left, right), kind (hand, object; hand if empty) and contact (true, false) are optional.

    A row without corners says that the frame has no box. EgoClip's .handobj.pkl files are not read.
    """
    from pipelines.chain.stages import hands_stages
    from pipelines.hands.mixed import warnings_of_boxes
    from xmic_cli import console
    from xmic_cli.stages import run_on_devices

    workspace = shared.open(context)
    note_plans(workspace, workspace.choose(dataset, split), options.plan)

    def warn(stages: Sequence[Any]) -> None:
        for warning in warnings_of_boxes(workspace, [(stage.frames.dataset, stage.identity.slug) for stage in stages]):
            console.note(f"warning: {warning}")

    run_on_devices(partial(hands_stages, workspace, dataset, split, options), shared, devices, where, warn)
