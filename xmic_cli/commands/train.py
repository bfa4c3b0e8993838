"""``xmic train``: embeddings to a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.options import (
    LARGEST_SEED,
    PLAN,
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
from xmic_cli.settings import pairs
from xmic_cli.signals import saving_signals

_TERMS = "SelectionPolicy (how a method is trained and which epoch is kept)"
if TYPE_CHECKING:
    from pipelines.train.estimate import Estimate

_PROTOCOL = "Protocol (shared by all methods of a comparison)"


def train(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(help="Dataset to train on. (default: the only one with a train split)")
    ] = None,
    method: Annotated[str, typer.Option(help="One that xmic methods lists, or package.module:Class.")] = "xmic",
    preset: Annotated[str, typer.Option(help="official, xmic-code or paper.")] = "official",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. epochs=5; may be repeated."),
    ] = None,
    label: Annotated[str, typer.Option(help="noun, verb or both.")] = "both",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights, order and frame draws.")] = 0,
    recipe: Annotated[
        str,
        typer.Option(
            help="published: the method's own; matched: the same learning rates tried for all.", rich_help_panel=_TERMS
        ),
    ] = "published",
    source_val: Annotated[
        str | None,
        typer.Option(
            metavar="P%",
            help="Hold out so many of the training recordings. (default: none; 10% with matched)",
            rich_help_panel=_TERMS,
        ),
    ] = None,
    select: Annotated[
        str, typer.Option(help="Epoch to keep: last, source-val or target (leaks).", rich_help_panel=_TERMS)
    ] = "last",
    target: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET[:SPLIT]", help="Labelled clips that --select target chooses by.", rich_help_panel=_TERMS
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Classifying encoder. (default: the only one)", rich_help_panel=_PROTOCOL),
    ] = None,
    v2: Annotated[
        str | None, typer.Option(help="Second encoder V_II. (default: the same)", rich_help_panel=_PROTOCOL)
    ] = None,
    streams: Annotated[
        str | None,
        typer.Option(help="Conditioning: full, hand or both. (default: both)", rich_help_panel=_PROTOCOL),
    ] = None,
    classify: Annotated[
        str | None,
        typer.Option(help="What is classified: full, hand or clip. (default: the preset's)", rich_help_panel=_PROTOCOL),
    ] = None,
    hands: Annotated[
        str | None,
        typer.Option(help="Hand stream (folder name). (default: the only one)", rich_help_panel=_PROTOCOL),
    ] = None,
    prompt: Annotated[str, typer.Option(help="Prompt the class names have.", rich_help_panel=_PROTOCOL)] = "{}",
    names: Annotated[
        str, typer.Option(help="Class names: official, fixed or synonyms.", rich_help_panel=_PROTOCOL)
    ] = "official",
    plan: Annotated[str | None, typer.Option(help=PLAN, rich_help_panel=_PROTOCOL)] = None,
    fixed_frames: Annotated[
        bool, typer.Option("--fixed-frames", help="Train on segment centres.", rich_help_panel=_PROTOCOL)
    ] = False,
    checkpoint_minutes: Annotated[
        float | None, typer.Option(help="Save the state every so many minutes, besides every epoch.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Stop after so many minutes with the state saved (exit 130).")
    ] = None,
    workspace: WorkspaceOption = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Train at most N heads in this call.")] = None,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a method on embedded clips: a noun head and a verb head.

    The same command goes on where it was stopped; a finished run is never overwritten. Ctrl-C, SIGTERM and
    SIGUSR1 save the state first.
    """
    from data_manifests.errors import UsageError
    from data_manifests.schema import LABELS
    from pipelines.train.plan import RunRequest, plan_run
    from pipelines.train.policy import SelectionPolicy, parse_percent
    from pipelines.train.protocol import ProtocolChoice
    from pipelines.train.run import train_run

    if label not in (*LABELS, "both"):
        raise UsageError(f"--label {label}: expected noun, verb or both")
    for option, minutes in (("--checkpoint-minutes", checkpoint_minutes), ("--time-limit", time_limit)):
        if minutes is not None and not minutes >= 0:  # not a number is not at least 0 either
            raise UsageError(f"{option} {minutes:g}: expected minutes, 0 or more")
    request = RunRequest(
        dataset=dataset,
        method=method,
        preset=preset,
        overrides=pairs(set_ or []),
        protocol=ProtocolChoice(encoder, v2, streams, classify, hands, plan, prompt, names),  # type: ignore[arg-type]
        seed=seed,
        labels=LABELS if label == "both" else (label,),  # type: ignore[arg-type]
        fixed_frames=fixed_frames,
        policy=SelectionPolicy(recipe, None if source_val is None else parse_percent(source_val), select, target),  # type: ignore[arg-type]
    )
    space = open_workspace(context, workspace)
    planned = plan_run(space, request)
    note_plans(space, [(planned.frames.dataset, planned.frames.split)], plan)
    if dry_run:
        from pipelines.train.estimate import estimate

        heads = estimate(space, planned, machine_of(workers, device, offline))
        text = [f"run {planned.name}", *(f"  {name}: {value}" for name, value in planned.config.items())]
        text += [f"  {name}: {_in_words(head)}" for name, head in heads.items()]
        told = {name: asdict(head) for name, head in heads.items()}
        console.emit({"run": planned.name, "key": planned.key, "config": planned.config, "heads": told}, json, text)
        return
    with saving_signals() as stop:
        result = train_run(
            space,
            planned,
            machine_of(workers, device, offline),
            console.progress(),
            checkpoint_minutes=checkpoint_minutes,
            time_limit_minutes=time_limit,
            limit=limit,
            stop=stop,
        )
    console.emit(result, json, _lines(result))


def _in_words(head: Estimate) -> str:
    text = f"{head.parameters:,} parameters to train on {head.clips:,} labelled clips of {head.classes:,} classes"
    if not head.steps:
        return text
    trials = f" with {head.trials} learning rates" if head.trials > 1 else ""
    text += f", {head.steps_per_epoch:,} steps an epoch, {head.steps:,} in all{trials}"
    if head.seconds is None or head.bytes is None:
        return text
    return (
        f"{text}; about {head.seconds:,.0f} s by {head.timed_steps} timed steps on random input, "
        f"about {head.bytes / 1e6:,.0f} MB"
    )


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [f"run {result['run']} in {result['folder']}"]
    for label, head in result["heads"].items():
        did = "trained" if label in result["trained"] else "finished before, nothing to do"
        numbers = ", ".join(f"{name} {value}" for name, value in head.items() if name != "trials")
        lines.append(f"  {label}: {did} ({numbers})")
        lines += [f"    {_trial(trial)}" for trial in head.get("trials", [])]
    return lines


def _trial(trial: dict[str, Any]) -> str:
    if "diverged" in trial:
        return f"learning rate {trial['lr']:g}: the loss did not stay finite"
    return (
        f"learning rate {trial['lr']:g}: {trial['source_val_accuracy']:.2f} % of the held-out clips at epoch "
        f"{trial['epoch']}"
    )
