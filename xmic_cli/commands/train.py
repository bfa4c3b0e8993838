"""``xmic train``: embeddings to a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.train.options import TrainOptions
from xmic_cli import console
from xmic_cli.options import (
    Device,
    DryRun,
    Json,
    Offline,
    Workers,
    WorkspaceOption,
    machine_of,
    open_workspace,
)
from xmic_cli.plans import note_plans
from xmic_cli.signals import saving_signals
from xmic_cli.spread import spread
from xmic_cli.trained import trained_lines

if TYPE_CHECKING:
    from pipelines.train.estimate import Estimate


@spread
def train(
    context: typer.Context,
    *,
    options: TrainOptions,
    workspace: WorkspaceOption = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Train at most N heads in this call.")] = None,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a method's noun head and verb head on embedded clips.

    Run the same command again after a stop: it goes on from there. A finished run is never overwritten. Ctrl-C, SIGTERM
    and SIGUSR1 save the state first.
    """
    from pipelines.train.plan import plan_run
    from pipelines.train.processes import joined
    from pipelines.train.run import follow_run, train_run

    space = open_workspace(context, workspace)
    planned = plan_run(space, options)
    note_plans(space, [(planned.frames.dataset, planned.frames.split)], options.plan)
    if dry_run:
        from pipelines.train.estimate import estimate
        from pipelines.train.warnings import of_boxes

        heads = estimate(space, planned, machine_of(workers, device, offline))
        text = [f"run {planned.name}", *(f"  {name}: {value}" for name, value in planned.config.items())]
        text += [f"  {name}: {_in_words(head)}" for name, head in heads.items()]
        text += [f"  {name}: warning: {warning}" for name, head in heads.items() for warning in head.warnings]
        boxes = of_boxes(space, planned.frames.dataset, planned.protocol)
        text += [f"  warning: {warning}" for warning in boxes]
        told = {name: asdict(head) for name, head in heads.items()}
        answer = {"run": planned.name, "key": planned.key, "config": planned.config, "sources": dict(planned.sources)}
        console.emit({**answer, "heads": told, "warnings": boxes}, json, text)
        return
    machine = machine_of(workers, device, offline)
    with saving_signals() as stop, joined(planned.method_class, options.method, machine.resolve_device()) as processes:
        if not processes.leads:
            follow_run(space, planned, machine, processes)
            return
        result = train_run(
            space,
            planned,
            machine,
            console.progress(),
            checkpoint_minutes=options.checkpoint_minutes,
            time_limit_minutes=options.time_limit,
            limit=limit,
            stop=stop,
            processes=processes,
        )
    console.emit(result, json, list(trained_lines(result)))


def _in_words(head: Estimate) -> str:
    text = f"{head.parameters:,} parameters to train on {head.clips:,} labelled clips of {head.classes:,} classes"
    if not head.steps:
        return text
    trials = f" with {head.trials} learning rates" if head.trials > 1 else ""
    text += f", {head.steps_per_epoch:,} steps per epoch, {head.steps:,} in all{trials}"
    if head.seconds is None or head.bytes is None:
        return text
    return (
        f"{text}; about {head.seconds:,.0f} s by {head.timed_steps} timed steps on random input, "
        f"about {head.bytes / 1e6:,.0f} MB"
    )
