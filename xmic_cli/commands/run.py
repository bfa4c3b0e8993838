"""``xmic run``: the whole chain from one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.evaluated import percent
from xmic_cli.options import Device, DryRun, Json, Offline, Workers, WorkspaceOption, machine_of
from xmic_cli.signals import saving_signals


def run(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Configuration of the chain.")] = Path("xmic.toml"),
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Prepare, decode, detect hands, embed, train, evaluate and report, as an xmic.toml says.

    Run it again after a stop: what is done is skipped. Its workspace is the one in the file, unless -w names another.
    """
    from pipelines.config import read_config
    from pipelines.run_chain import plan_chain, run_chain

    config = read_config(file)
    other = workspace or context.find_root().params.get("workspace")
    if other:
        config = config.model_copy(update={"workspace": other.absolute()})
    machine = machine_of(workers, device, offline)
    if dry_run:
        plan = plan_chain(config, machine)
        lines = plan.todo + ([f"then: {', '.join(plan.then)}"] if plan.then else [])
        console.emit(vars(plan), json, lines or ["nothing to do: everything is up to date"])
        return
    result = run_chain(config, machine, console.progress(), saving_signals)
    console.emit(vars(result), json, _lines(vars(result)))


def _lines(result: dict[str, Any]) -> list[str]:
    from pipelines.stage import Report
    from xmic_cli.stages import report_line

    lines = [report_line(Report(**stage)) for stage in result["stages"]]
    for trained in result["runs"]:
        did = f"trained {', '.join(trained['trained'])}" if trained["trained"] else "nothing to do"
        lines.append(f"{trained['folder']}: {did}")
    for metrics in result["evaluations"]:
        target = metrics["target"]
        for label, numbers in metrics["labels"].items():
            lines.append(
                f"{metrics['run']['name']} on {target['dataset']} {target['split']}: {label} top-1 "
                f"{percent(numbers['top1'])} % of {numbers['n_evaluated']}/{numbers['n_official']} clips"
            )
    if result["report"]:
        lines.append(f"report: {result['report']['html']}")
    if not result["made"]:
        lines.append("nothing to do: everything was up to date")
    return lines
