"""``xmic status``: what is done, stale, missing or failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from data_manifests.errors import UsageError
from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace

if TYPE_CHECKING:
    from pipelines.chain.stage_status import StageStatus

_SHOWN = 5


def status(
    context: typer.Context,
    verify: Annotated[bool, typer.Option("--verify", help="Read every shard in full and check its digest.")] = False,
    shards: Annotated[
        bool,
        typer.Option(
            "--shards", help="List what to make; exit 5 if shards are missing, 4 if only failed rows are left."
        ),
    ] = False,
    tasks: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="With --shards: name the task of a job array of N that makes each."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Show each stage's shards: done, stale, missing, damaged, incomplete, and why."""
    from pipelines.chain.status import status as find_status

    if tasks is not None and not shards:
        raise UsageError(f"--tasks {tasks}: it numbers the shards that --shards lists; add --shards.")
    found = find_status(open_workspace(context, workspace), verify=verify)
    if shards:
        _list_shards(found, tasks, json)
    if json:
        console.emit({"stages": [vars(item) for item in found]}, True)
        return
    columns = [
        "stage",
        "dataset",
        "split",
        "what",
        "done",
        "stale",
        "missing",
        "damaged",
        "incomplete",
        "rows",
        "failed rows",
    ]
    rows = []
    for item in found:
        failed = ", ".join(f"{count} {reason}" for reason, count in sorted(item.failures.items()))
        states = (item.done, item.stale, item.missing, item.damaged, item.incomplete)
        what = f"{item.what} {item.differs}".rstrip()
        rows.append([item.stage, item.dataset, item.split, what, *states, item.rows, failed])
    console.table("workspace", columns, rows)
    for item in found:
        if item.missing_videos:
            console.note(f"{item.dataset} {item.split}: {_missing(item.missing_videos)}")
        for sentence in item.absent:
            console.note(f"{item.dataset} {item.split}: {sentence}")
        for shard, why in list(item.why.items())[:_SHOWN]:
            console.note(f"{item.stage} {item.what} {shard}: {why}")
        if len(item.why) > _SHOWN:
            console.note(f"  … and {len(item.why) - _SHOWN} more (--json lists all)")
        if item.next:
            console.note(f"  next: {item.next}")


def _list_shards(found: Sequence[StageStatus], tasks: int | None, json: bool) -> NoReturn:
    """Print the shards that are not done, and exit with what that means for a job array."""
    from pipelines.chain.stage_status import open_shards

    rows = open_shards(found, tasks)
    if json:
        console.emit({"shards": rows}, True)
    else:
        columns = ["stage", "dataset", "split", "what", "shard", "state", "task", "why"]
        console.table("shards", columns, [["" if row[name] is None else row[name] for name in columns] for row in rows])
        for item in found:
            numbers = sorted({row["task"] for row in rows if row["folder"] == item.folder and row["task"] is not None})
            if numbers:
                console.note(f"{item.stage} {item.what}: --array={','.join(map(str, numbers))}")
    states = {row["state"] for row in rows}
    raise typer.Exit(0 if not states else 4 if states == {"incomplete"} else 5)


def _missing(count: int) -> str:
    what = "1 video was" if count == 1 else f"{count} videos were"
    return f"{what} not found under any video root by the last xmic prepare, or is gone since"
