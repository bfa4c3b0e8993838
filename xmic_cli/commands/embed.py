"""``xmic embed``: frames, hand crops and class names to raw vectors."""

from __future__ import annotations

from typing import Annotated

import typer

from xmic_cli.options import PLAN, Dataset, Split, StageOptions
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread

_CROP = "Hand crops"


@spread
def embed(
    context: typer.Context,
    encoder: Annotated[
        str, typer.Option(help="FAMILY:MODEL/TAG or FAMILY:MODEL=FILE, e.g. open_clip:ViT-B-16/openai.")
    ],
    dataset: Dataset = None,
    split: Split = None,
    streams: Annotated[str, typer.Option(help="full, hand or both.")] = "both",
    clip_frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Also one vector a clip, of so many of its frames: 16, or 4 (segments 3, 7, 11 and 15 of 16). Only "
            "lavila.",
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text/--no-text", help="Embed the class names too.")] = True,
    prompt: Annotated[str, typer.Option(help="Text around a class name, {} where it goes.")] = "{}",
    names: Annotated[
        str, typer.Option(help="Class names: official, fixed (slips mended) or synonyms (mean over all of a class).")
    ] = "official",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Frames a forward pass; fixed, the last one is padded.")] = 16,
    detector: Annotated[
        str | None,
        typer.Option(help="Whose boxes (folder name). (default: the only one)", rich_help_panel=_CROP),
    ] = None,
    hand_threshold: Annotated[
        float | None,
        typer.Option(
            help="Least score of a hand. (default: what fits the packaged model; 0.8 for epic-100doh, else 0.5)",
            rich_help_panel=_CROP,
        ),
    ] = None,
    object_threshold: Annotated[
        float, typer.Option(help="Least score of a touched object.", rich_help_panel=_CROP)
    ] = 0.01,
    crop_margin: Annotated[
        float | None,
        typer.Option(
            help="Margin around the union box, share of its longer side. (default: the packaged model's, else 0)",
            rich_help_panel=_CROP,
        ),
    ] = None,
    crop_fit: Annotated[str, typer.Option(help="center or pad.", rich_help_panel=_CROP)] = "center",
    allow_random_weights: Annotated[
        bool,
        typer.Option("--allow-random-weights", help="Accept a model without trained weights (tests only)."),
    ] = False,
    plan: Annotated[str | None, typer.Option(help=PLAN)] = None,
    *,
    shared: StageOptions,
) -> None:
    """Run a frozen encoder over full frames, hand crops and class names; vectors are kept raw in float16."""
    from pipelines.chain.stages import EmbedOptions, embed_stages
    from xmic_cli.stages import run_stages

    options = EmbedOptions(
        encoder=encoder,
        streams=streams,
        text=text,
        prompt=prompt,
        names=names,
        precision=precision,
        batch_size=batch_size,
        detector=detector,
        hand_threshold=hand_threshold,
        object_threshold=object_threshold,
        crop_margin=crop_margin,
        crop_fit=crop_fit,
        allow_random_weights=allow_random_weights,
        plan=plan,
        clip_frames=clip_frames,
    )
    workspace = shared.open(context)
    note_plans(workspace, workspace.choose(dataset, split), plan)
    stages = embed_stages(workspace, dataset, split, options, shared.machine)
    run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json)
