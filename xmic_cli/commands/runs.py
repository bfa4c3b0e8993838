"""``xmic runs`` and ``xmic runs rm``: runs with their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from xmic_cli import console
from xmic_cli.completion import complete_runs
from xmic_cli.evaluated import percent
from xmic_cli.options import Json, WorkspaceOption, open_workspace
from xmic_cli.removing import OnlyShow, Yes, may_remove, size

if TYPE_CHECKING:
    from pipelines.chain.runs import RunEntry

app = typer.Typer(invoke_without_command=True)


@app.callback()
def runs(context: typer.Context, workspace: WorkspaceOption = None, json: Json = False) -> None:
    """List runs and their results, or remove some.

    Behind a name is what differs from the method's preset. Results are top-1 in percent, within the run's dataset and
    on others; controls are in --json only.
    """
    if context.invoked_subcommand is not None:
        if workspace is not None:
            context.find_root().params["workspace"] = workspace
        return
    from pipelines.chain.runs import list_runs

    found = list_runs(open_workspace(context, workspace))
    if json:
        console.emit({"runs": [asdict(item) for item in found]}, True)
        return
    if not found:
        console.emit(None, False, ["no run yet; xmic train makes one"])
        return
    columns = ["run", "differs", "state", "noun within", "noun cross", "verb within", "verb cross", "size"]
    console.table("runs, top-1 in percent", columns, [_row(item) for item in found])
    newest = [item.run for item in found if item.newest]
    if newest:
        console.note(f"newest: {newest[0]}; commands that name no run take it")


def _row(item: RunEntry) -> list[str]:
    from pipelines.evaluate.differs import in_words

    numbers = [_numbers(item, label, within) for label in ("noun", "verb") for within in (True, False)]
    return [item.run, in_words(item.differs), item.state, *numbers, size(item.bytes)]


def _numbers(item: RunEntry, label: str, within: bool) -> str:
    chosen = [one for one in item.results if one["within"] is within and not one["control"] and label in one]
    splits = {(one["dataset"], one["split"]) for one in chosen}
    several = len(splits) > len({dataset for dataset, _ in splits})
    place = {id(one): f" {one['dataset']}" * (not within) + f" {one['split']}" * several for one in chosen}
    return ", ".join(percent(one[label]) + place[id(one)] for one in chosen) or "–"


@app.command("rm")
def remove(
    context: typer.Context,
    run: Annotated[
        list[str], typer.Argument(help="Runs by name, or latest.", metavar="RUN...", autocompletion=complete_runs)
    ],
    dry_run: OnlyShow = False,
    yes: Yes = False,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Remove runs with their evaluations.

    What would be removed is printed first. A run that another process trains or evaluates is kept.
    """
    from pipelines.chain.runs import chosen_runs, evaluations_of, remove_runs
    from pipelines.engine.removal import size_of

    space = open_workspace(context, workspace)
    folders = chosen_runs(space, run)
    parts = {folder: [folder, *evaluations_of(space, folder.name)] for folder in folders}
    sizes = {folder: sum(map(size_of, paths)) for folder, paths in parts.items()}
    counts = {folder: sum(len(list(path.glob("*-*"))) for path in paths[1:]) for folder, paths in parts.items()}
    removed = not dry_run
    _show([f"{folder.name}: {_evaluations(counts[folder])}, {size(sizes[folder])}" for folder in folders], json)
    if removed:
        removed = may_remove(yes, json)
    if removed:
        remove_runs(space, folders)
    answer = [{"run": path.name, "evaluations": counts[path], "bytes": sizes[path]} for path in folders]
    total = size(sum(sizes.values()))
    console.emit({"runs": answer, "removed": removed}, json, [f"{'removed' if removed else 'would remove'} {total}"])


def _evaluations(count: int) -> str:
    return f"the run and {count} evaluation{'s' * (count != 1)}"


def _show(lines: Sequence[str], json: bool) -> None:
    if not json:
        console.emit(None, False, lines)
