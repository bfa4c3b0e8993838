"""``xmic evaluate``: a run's accuracy within its dataset and on others."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.options import (
    BreakLock,
    Device,
    DryRun,
    Json,
    Offline,
    Workers,
    WorkspaceOption,
    machine_of,
    open_workspace,
)


def evaluate(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run name or folder. (default: the newest)")] = None,
    cross: Annotated[list[str] | None, typer.Option(help="Also evaluate on this dataset; may be repeated.")] = None,
    split: Annotated[str | None, typer.Option(help="Split to evaluate on. (default: val, else test)")] = None,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Accept a target made with other settings; tables say so.")
    ] = False,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="The run's encoder again, FAMILY:MODEL=FILE, when a method needs its weights and they have moved."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Evaluate at most N targets in this call.")] = None,
    break_lock: BreakLock = False,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Top-1, top-5 and class-mean accuracy; across datasets with all of the target's own classes.

    The harmonic mean joins the accuracy within the run's own dataset and that on each other one.
    """
    from data_manifests.schema import canonical_split
    from pipelines.evaluate.run import evaluate as evaluate_run
    from pipelines.evaluate.run import find_run, targets_of
    from pipelines.stage import Choice

    space = open_workspace(context, workspace)
    found = find_run(space, run)
    targets, notes = targets_of(space, found, cross or [], canonical_split(split) if split else None)
    for text in notes:
        console.note(text)
    targets = targets[:limit]
    if dry_run:
        console.emit({"targets": targets}, json, [f"{dataset} {part}" for dataset, part in targets])
        return
    results = evaluate_run(
        space,
        found,
        targets,
        machine_of(workers, device, offline),
        console.progress(),
        allow_mixed=allow_mixed,
        choice=Choice(break_lock=break_lock),
        encoder=encoder,
    )
    if json:
        console.emit({"run": found.config["name"], "results": results, "harmonic_means": harmonic_means(results)}, True)
        return
    _print(found.config["name"], results)


def harmonic_means(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Within × cross top-1 for every cross target and label."""
    from pipelines.evaluate.metrics import harmonic_mean

    within = next((result for result in results if result["within"]), None)
    means = []
    for result in results:
        if within is None or result is within:
            continue
        for label, numbers in result["labels"].items():
            own = within["labels"][label]["top1"]
            if own is not None and numbers["top1"] is not None:
                means.append({**result["target"], "label": label, "hm": harmonic_mean(own, numbers["top1"])})
    return means


def _print(name: str, results: list[dict[str, Any]]) -> None:
    means = {(m["dataset"], m["label"]): m["hm"] for m in harmonic_means(results)}
    rows = []
    for result in results:
        target = result["target"]
        for label, numbers in result["labels"].items():
            values = [_percent(numbers[key]) for key in ("top1", "top5", "class_mean")]
            values.append(_percent(means.get((target["dataset"], label))))
            share = f"{numbers['n_evaluated']}/{numbers['n_official']}"
            rows.append([target["dataset"], target["split"], label, *values, share])
    console.table(name, ["dataset", "split", "label", "top-1 %", "top-5 %", "class mean %", "hm %", "clips"], rows)
    for result in results:
        if not result["made"]:
            target = result["target"]
            console.note(f"{target['dataset']} {target['split']}: nothing to do, the predictions were up to date")
        for weights in result["random_weights"]:
            console.note(f"warning: {weights} has random weights; these numbers mean nothing")
        for item in result["mixed"]:
            console.note(f"warning: mixed {item['what']}: run {item['run']}, target {item['target']}")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
