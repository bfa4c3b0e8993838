"""``xmic detect-hands``: frames to raw hand boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.options import PLAN, Dataset, Split, StageOptions
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread

_IMPORT = "Boxes made elsewhere"


@spread
def detect_hands(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    detector: Annotated[
        str, typer.Option(help="yolo, epic-100doh or boxes (both read --boxes), or package.module:Class.")
    ] = "yolo",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="For yolo: Ultralytics detection weights (.pt), a model of xmic hands train (.safetensors), or "
            "hf://owner/repo/file. (default: the model that comes with xmic)"
        ),
    ] = None,
    hand_class: Annotated[
        str | None, typer.Option(help="Class of the weights that is a hand. (default: the one named hand)")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(min=32, help="Side of the network's square input, pixels. (default: the model's own, or 640)"),
    ] = None,
    precision: Annotated[str, typer.Option(help="Of yolo: auto, fp32, bf16 or fp16.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Frames a forward pass; fixed, the last one is padded.")] = 16,
    boxes: Annotated[
        Path | None,
        typer.Option(
            help="Boxes made elsewhere. epic-100doh: the folder of EPIC-KITCHENS' hand-objects. "
            "boxes: a table (.parquet or .csv).",
            rich_help_panel=_IMPORT,
        ),
    ] = None,
    boxes_tolerance: Annotated[
        float, typer.Option(help="A row of the table counts for a frame this near, seconds.", rich_help_panel=_IMPORT)
    ] = 0.05,
    plan: Annotated[str | None, typer.Option(help=PLAN)] = None,
    *,
    shared: StageOptions,
) -> None:
    """Find hands in every decoded frame and keep all boxes with a score of at least 0.01, or import boxes.

    Which boxes count, and how they become a crop, is decided later by xmic embed.

    A table of boxes has the columns video (the manifest's id), time_s or frame, x0, y0, x1, y1 and score.

    time_s: seconds from the video's first frame. frame: the number of a JPEG, where frames came from numbered JPEGs.

    Corners are shares of the frame's sides, or pixels where there are columns width and height.

    Columns side (left, right), kind (hand, object; hand if empty) and contact (true, false) may be there.

    A row without corners says that the frame has no box. EgoClip's .handobj.pkl files are not read.
    """
    from pipelines.chain.stages import HandsOptions, hands_stages
    from xmic_cli.stages import run_stages

    options = HandsOptions(
        detector=detector,
        weights=weights,
        hand_class=hand_class,
        image_size=image_size,
        precision=precision,
        batch_size=batch_size,
        boxes=boxes,
        boxes_tolerance=boxes_tolerance,
        plan=plan,
    )
    workspace = shared.open(context)
    note_plans(workspace, workspace.choose(dataset, split), plan)
    stages = hands_stages(workspace, dataset, split, options, shared.machine)
    run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json)
