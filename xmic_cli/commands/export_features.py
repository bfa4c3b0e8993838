"""``xmic export-features``: vectors for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.decode.options import PLAN
from pipelines.engine.options import Doc
from xmic_cli import console
from xmic_cli.options import Dataset, Json, Split, WorkspaceOption, open_workspace
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread


@spread
def export_features(
    context: typer.Context,
    dataset: Dataset = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into, one folder per split.")] = Path(
        "features"
    ),
    split: Split = None,
    encoder: Annotated[str | None, typer.Option(help="Encoder of the vectors. (default: the only one)")] = None,
    stream: Annotated[Literal["full", "hand"], Doc("Vectors of full frames or of hand crops.")] = "full",
    hands: Annotated[str | None, typer.Option(help="Hand stream (folder name). (default: the only one)")] = None,
    plan: Annotated[str | None, typer.Option(help=PLAN)] = None,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write a stream's raw vectors for other programs.

    Each split has a folder <dataset>-<split>. It holds vectors.safetensors, index.parquet (clips, times and classes)
    and dataset.py (a torch Dataset).
    """
    from pipelines.export.features import export_features as export
    from pipelines.train.protocol import ProtocolChoice

    space = open_workspace(context, workspace)
    note_plans(space, space.choose(dataset, split), plan)
    choice = ProtocolChoice(encoder=encoder, classify=stream, hands=hands, plan=plan)
    progress = console.progress()
    found = [
        export(space, name, part, choice, out / f"{name}-{part}", progress)
        for name, part in space.choose(dataset, split)
    ]
    lines = [f"{item.folder}: {item.vectors} vectors of width {item.dim}, {item.rows} rows of index" for item in found]
    console.emit({"exported": [vars(item) for item in found]}, json, lines)
