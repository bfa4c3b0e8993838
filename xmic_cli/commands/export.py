"""``xmic export``: a trained run as a folder for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace


def export(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run name or folder. (default: the newest)")] = None,
    into: Annotated[Path | None, typer.Option(help="New folder to write. (default: ./<run name>)")] = None,
    licence: Annotated[
        str | None, typer.Option("--license", metavar="SPDX", help="Licence of the weights, for the model card.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write a trained run as a folder for the Hugging Face hub.

    It holds safetensors, configuration, class names and a model card, in the layout of the hub. The folder is complete:
    commands that take a run take it in place of a run's name. The frozen encoder is named in it, not copied.
    """
    from pipelines.evaluate.trained import find_run
    from pipelines.export.folder import export_run

    space = open_workspace(context, workspace)
    found = find_run(space, run)
    written = export_run(space, found, into or Path(found.config["name"]), licence)
    text = [
        f"{written.folder}: {len(written.files)} files of {found.config['name']}",
        f"  evaluations in the card: {', '.join(written.evaluations) or 'none; run xmic evaluate first for numbers'}",
        f"  to publish: hf upload OWNER/NAME {written.folder}",
    ]
    result = {"folder": str(written.folder), "files": written.files, "evaluations": written.evaluations}
    console.emit(result, json, text)
