"""``xmic run``: the whole chain from one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.evaluated import percent
from xmic_cli.options import Device, DryRun, Json, Offline, Workers, WorkspaceOption, machine_of
from xmic_cli.signals import saving_signals
from xmic_cli.workspace_folder import named_workspace

if TYPE_CHECKING:
    from pipelines.chain.grid import Cell
    from pipelines.engine.machine import Machine


def run(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Configuration of the chain.")] = Path("xmic.toml"),
    cell: Annotated[
        int | None, typer.Option(min=0, help="Run one cell of the grid, from 0, without the report (job arrays).")
    ] = None,
    list_cells: Annotated[
        bool, typer.Option("--list-cells", help="Print the cells of the grid and which are finished; run nothing.")
    ] = False,
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Run every stage of an xmic.toml, from prepare to report.

    The stages are prepare, decode, detect-hands, embed, train, evaluate and report. Run it again after a stop: what is
    done is skipped. The workspace is the one in the file, unless -w or XMIC_WORKSPACE names another. A section that the
    file lacks has the defaults of its command; hands = false looks for no hands. Lists in [embed] (encoder, v2, prompt,
    names), in a [[train]] or in its set make a grid: all combinations are run.
    """
    from pipelines.chain.grid import choose_cell, read_cells
    from pipelines.chain.run import plan_chain, run_chain

    cells = read_cells(file)
    other = named_workspace(context, workspace)
    if other:
        own = {"workspace": other.absolute()}
        cells = [replace(item, config=item.config.model_copy(update=own)) for item in cells]
        console.note(f"workspace {other}, not that of {file}")
    machine = machine_of(workers, device, offline)
    if cell is not None:
        cells = [choose_cell(cells, cell, file)]
    if list_cells:
        _list(cells, machine, json)
        return
    if dry_run:
        plan = plan_chain(cells, machine)
        lines = plan.todo + ([f"then: {', '.join(plan.then)}"] if plan.then else [])
        console.emit(vars(plan), json, lines or ["nothing to do: everything is up to date"])
        return
    result = run_chain(cells, machine, console.progress(), saving_signals, report=cell is None)
    console.emit(vars(result), json, _lines(vars(result)))


_STATES = {True: "finished", False: "to do", None: "nothing to train"}


def _list(cells: list[Cell], machine: Machine, json: bool) -> None:
    from pipelines.chain.run import state_of

    rows = []
    for item in cells:
        state = state_of(item, machine)
        method = item.config.train[0].method if item.config.train else None
        facts = {"cell": item.number, "train": item.section, "method": method, "varies": dict(item.varies)}
        rows.append({**facts, **vars(state), "finished": state.finished if method else None})
    if json:
        console.emit({"cells": rows}, True)
        return
    shown = [
        [
            row["cell"],
            row["method"] or "",
            " ".join(f"{name}={value}" for name, value in row["varies"].items()),
            row["run"] or "",
            _STATES[row["finished"]] if not row["trained"] or row["finished"] else "trained",
        ]
        for row in rows
    ]
    console.table("cells", ["cell", "method", "varies", "run", "state"], shown)


def _lines(result: dict[str, Any]) -> list[str]:
    """Describe what was made; what was up to date shares one line."""
    from xmic_cli.stages import report_lines
    from xmic_cli.trained import trained_lines

    runs = [run for run in result["runs"] if run["trained"]]
    evaluations = [one for one in result["evaluations"] if one["made"]]
    lines = list(report_lines(result["stages"])) if result["made"] else []
    for run in runs:
        lines += trained_lines(run)
    lines += [line for one in evaluations for line in _evaluated(one)]
    quiet = {"run": len(result["runs"]) - len(runs), "evaluation": len(result["evaluations"]) - len(evaluations)}
    if result["made"] and any(quiet.values()):
        told = [f"{count} {what}{'s' * (count != 1)}" for what, count in quiet.items() if count]
        lines.append(f"nothing to do: {' and '.join(told)} up to date")
    if result["report"]:
        lines.append(f"report: {result['report']['html']}")
    if not result["made"]:
        lines.append("nothing to do: everything was up to date")
    return lines


def _evaluated(metrics: dict[str, Any]) -> Iterator[str]:
    target = metrics["target"]
    for label, numbers in metrics["labels"].items():
        yield (
            f"{metrics['run']['name']} on {target['dataset']} {target['split']}: {label} top-1 "
            f"{percent(numbers['top1'])} % of {numbers['n_evaluated']}/{numbers['n_official']} clips"
        )
