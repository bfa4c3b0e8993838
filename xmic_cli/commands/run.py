"""``xmic run``: the whole chain from one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from data_manifests.errors import UsageError
from data_manifests.remote.access import DEFAULT_SIZE
from pipelines.chain.executor_options import ExecutorOptions
from pipelines.engine.options import Doc
from xmic_cli import console
from xmic_cli.evaluated import percent
from xmic_cli.options import (
    AllowPartial,
    Device,
    Devices,
    DryRun,
    Json,
    Offline,
    Scratch,
    ScratchSize,
    Shard,
    WaitLock,
    Workers,
    WorkspaceOption,
    allow_remote,
    machine_of,
)
from xmic_cli.signals import saving_signals
from xmic_cli.spread import spread
from xmic_cli.workspace_folder import named_workspace

if TYPE_CHECKING:
    from pipelines.chain.grid import Cell
    from pipelines.engine.machine import Machine


Step = Literal["prepare", "decode", "detect-hands", "embed"]


@spread
def run(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Configuration of the chain.")] = Path("xmic.toml"),
    cell: Annotated[
        int | None, typer.Option(min=0, help="Run one cell of the grid, from 0, without the report (job arrays).")
    ] = None,
    list_cells: Annotated[
        bool, typer.Option("--list-cells", help="Print the cells of the grid and which are finished; run nothing.")
    ] = False,
    only: Annotated[Step | None, Doc("Run this step alone, for all cells (job arrays).")] = None,
    shard: Shard = None,
    wait_lock: WaitLock = 0.0,
    allow_partial: AllowPartial = False,
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    device: Device = "auto",
    devices: Devices = None,
    offline: Offline = False,
    scratch: Scratch = None,
    scratch_size: ScratchSize = DEFAULT_SIZE,
    dry_run: DryRun = False,
    json: Json = False,
    *,
    where: ExecutorOptions,
) -> None:
    """Run every stage of an xmic.toml, from prepare to report.

    The stages are prepare, decode, detect-hands, embed, train, evaluate and report. Run it again after a stop: what is
    done is skipped. The workspace is the one in the file, unless -w or XMIC_WORKSPACE names another. A section that the
    file lacks has the defaults of its command; hands = false looks for no hands. Lists in [embed] (encoder, v2, prompt,
    names), in a [[train]] or in its set make a grid: all combinations are run.
    """
    from pipelines.chain.grid import choose_cell, read_cells
    from pipelines.chain.run import plan_chain, run_chain, run_step
    from pipelines.engine.run_policy import RunPolicy, parse_shard
    from xmic_cli.executors import executor_of

    policy = RunPolicy(
        shard=parse_shard(shard) if shard else (0, 1), wait_lock_s=60 * wait_lock, allow_partial=allow_partial
    )
    _refuse(only, {"--cell": cell is not None, "--list-cells": list_cells, "--dry-run": dry_run}, shard, allow_partial)
    allow_remote(scratch, scratch_size, offline)
    cells = read_cells(file)
    other = named_workspace(context, workspace)
    if other:
        own = {"workspace": other.absolute()}
        cells = [replace(item, config=item.config.model_copy(update=own)) for item in cells]
        console.note(f"workspace {other}, not that of {file}")
    machine = machine_of(workers, device, offline, devices)
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
    with executor_of(where, workers, machine) as executor:
        if only:
            result = run_step(cells, only, machine, console.progress(), policy, executor=executor)
        else:
            result = run_chain(
                cells,
                machine,
                console.progress(),
                saving_signals,
                report=cell is None,
                wait_lock_s=policy.wait_lock_s,
                executor=executor,
            )
    console.emit(vars(result), json, _lines(vars(result)))


def _refuse(only: str | None, whole: dict[str, bool], shard: str | None, allow_partial: bool) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: an option of one step without ``--only``, or one of the whole chain with it.
    """
    if only is None and (shard or allow_partial):
        name = f"--shard {shard}" if shard else "--allow-partial"
        raise UsageError(f"{name}: it is for a single step; name it with --only {'|'.join(get_args(Step)[1:])}.")
    if only == "prepare" and shard:
        raise UsageError(f"--shard {shard}: prepare has no shares; run it once, before the arrays.")
    for name in (name for name, given in whole.items() if only and given):
        raise UsageError(f"--only {only} and {name}: leave one of the two out.")


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
