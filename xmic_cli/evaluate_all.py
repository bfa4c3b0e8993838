"""Run ``xmic evaluate --all``: every finished run on what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from xmic_cli import console
from xmic_cli.evaluated import means_as_dicts, print_results

if TYPE_CHECKING:
    from pipelines.engine.machine import Machine
    from pipelines.engine.workspace import Workspace
    from pipelines.evaluate.options import EvaluateOptions


def evaluate_all(
    workspace: Workspace,
    options: EvaluateOptions,
    machine: Machine,
    *,
    limit: int | None,
    break_lock: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Evaluate every finished run on the targets that it lacks.

    Args:
        workspace: the workspace.
        options: other datasets, split, and whether mixed artifacts are accepted.
        machine: device.
        limit: make at most this many evaluations.
        break_lock: take over locks of other hosts.
        dry_run: print what would be evaluated.
        json: print the answer as JSON.

    Raises:
        Exit: with 3, where a run is damaged or cannot be evaluated on a target; the other evaluations are made.
    """
    from data_manifests.errors import InputError, MissingUpstream, UsageError
    from data_manifests.schema import canonical_split
    from pipelines.engine.stage import RunPolicy
    from pipelines.evaluate.all_runs import find_lacking
    from pipelines.evaluate.evaluation import harmonic_means
    from pipelines.evaluate.run import evaluate

    split = canonical_split(options.split) if options.split else None
    found = find_lacking(workspace, options.cross, split, machine, allow_mixed=options.allow_mixed)
    for text in dict.fromkeys(note for item in found.runs for note in item.notes):
        console.note(text)
    failed = dict(found.damaged)
    failed |= {f"{item.name} on {target}": why for item in found.runs for target, why in item.refused.items()}
    done = sum(len(item.done) for item in found.runs)
    left = sum(len(item.lacking) for item in found.runs)
    todo = []
    for item in found.runs:
        chosen = item.lacking if limit is None else item.lacking[:limit]
        limit = None if limit is None else limit - len(chosen)
        if chosen:
            todo.append((item, chosen))
    answer: dict[str, Any] = {"up_to_date": done, "unfinished": list(found.unfinished)}
    if dry_run:
        planned = [{"run": item.name, "targets": [list(target) for target in chosen]} for item, chosen in todo]
        lines = [f"{item.name} on {' '.join(target)}" for item, chosen in todo for target in chosen]
        console.emit({"runs": planned, **answer, "failed": failed}, json, lines)
    else:
        evaluated = []
        for item, chosen in todo:
            targets = [target for target in (*item.done, *item.lacking) if target in item.done or target in chosen]
            try:
                results = evaluate(
                    workspace,
                    item.run,
                    targets,
                    machine,
                    console.progress(),
                    allow_mixed=options.allow_mixed,
                    policy=RunPolicy(break_lock=break_lock),
                )
            except (InputError, MissingUpstream, UsageError) as error:
                failed[item.name] = str(error)
                continue
            left -= len(chosen)
            means = means_as_dicts(harmonic_means([result.metrics for result in results]))
            values = [result.as_dict() for result in results]
            evaluated.append({"run": item.name, "results": values, "harmonic_means": means})
            if not json:
                print_results(item.name, results)
        if json:
            console.emit({"runs": evaluated, **answer, "left": left, "failed": failed}, True)
        console.note(f"{len(evaluated)} runs evaluated; {done} evaluations were up to date, {left} are left to make")
    for name in found.unfinished:
        console.note(f"{name}: no head of it is finished; run the same xmic train command again")
    for name, why in failed.items():
        console.note(f"{name}: {why}")
    if failed:
        raise typer.Exit(InputError.exit_code)
