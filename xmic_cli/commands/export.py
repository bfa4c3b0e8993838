"""``xmic export``: a trained run as a folder for others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.completion import complete_runs
from xmic_cli.options import Json, Trust, WorkspaceOption, open_workspace


def export(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="Run name, folder or hf://owner/repo. (default: the newest)", autocompletion=complete_runs),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="New folder to write. (default: ./<run name>)")] = None,
    licence: Annotated[
        str | None, typer.Option("--license", metavar="SPDX", help="Licence of the weights, for the model card.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="OWNER/REPO", help="Upload the folder to this repository of the hub.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private; with --push.")] = False,
    trust: Trust = False,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write a trained run as a folder for the Hugging Face hub.

    It holds safetensors, configuration, class names and a model card, in the layout of the hub. The folder is complete:
    commands that take a run take it in place of a run's name. The frozen encoder is named in it, not copied.

    --push also uploads it, with the token in HF_TOKEN or that of hf auth login. A folder that was exported before is
    uploaded as it is, so its card can be edited first.
    """
    from data_manifests.errors import UsageError
    from pipelines.evaluate.exported import INDEX
    from pipelines.evaluate.trained import find_run
    from pipelines.export.folder import export_run
    from pipelines.export.push import push as push_folder
    from pipelines.export.push import refuse_push

    if private and push is None:
        raise UsageError("--private belongs to --push OWNER/REPO.")
    space = open_workspace(context, workspace)
    found = find_run(space, run, trust=trust)
    if push is not None:
        refuse_push(found, push)
    result: dict[str, Any]
    if push is not None and (found.folder / INDEX).is_file() and into is None:
        if licence is not None:
            raise UsageError("--license: an exported folder is uploaded as it is; write license: into its README.md.")
        folder, result, text = found.folder, {"folder": str(found.folder)}, []
    else:
        if push is not None and licence is None:
            raise UsageError(f"--push {push}: name the licence of the weights, such as --license apache-2.0.")
        written = export_run(space, found, into or Path(found.config["name"]), licence)
        numbers = ", ".join(written.evaluations) or "none; run xmic evaluate first for numbers"
        text = [
            f"{written.folder}: {len(written.files)} files of {found.config['name']}",
            f"  evaluations in the card: {numbers}",
        ]
        folder = written.folder
        result = {"folder": str(folder), "files": written.files, "evaluations": written.evaluations}
    if push is None:
        text.append(f"  to publish: xmic export {shlex.quote(str(folder))} --push OWNER/REPO")
    else:
        result["pushed"] = push_folder(folder, push, private=private)
        text.append(f"pushed to {result['pushed']}; others use it as --run hf://{push}")
    console.emit(result, json, text)
