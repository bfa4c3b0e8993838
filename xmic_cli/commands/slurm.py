"""``xmic slurm``: the chain as Slurm jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.chain.slurm import SlurmOptions
from xmic_cli.options import Json, WorkspaceOption
from xmic_cli.spread import spread


@spread
def slurm(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Configuration of the chain.")] = Path("xmic.toml"),
    *,
    options: SlurmOptions,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Write the chain of an xmic.toml as Slurm job scripts.

    The jobs are prepare, an array each for decode, detect-hands and embed, an array of the cells of the grid, and the
    report. Read and edit them, then run submit.sh: each job waits for the one before. A task that reaches its time
    limit saves its work and is queued again.
    """
    from pipelines.chain.grid import read_cells
    from pipelines.chain.slurm import Chain, write_slurm
    from pipelines.engine.command_lines import command_line
    from xmic_cli import console
    from xmic_cli.workspace_folder import named_workspace

    cells = read_cells(file)
    config = cells[0].config
    other = named_workspace(context, workspace)
    root = other.absolute() if other else None
    chain = Chain(
        file.absolute(),
        root,
        command_line("report", config.report, root=root or config.workspace),
        any(config.hands_of(section.name) for section in config.dataset),
        sum(bool(cell.config.train) for cell in cells),
    )
    files = write_slurm(chain, options)
    lines = [*(str(path) for path in files), f"next: read them, then {files[-1]}"]
    console.emit({"files": [str(path) for path in files], "submit": str(files[-1])}, json, lines)
