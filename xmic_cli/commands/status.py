"""``xmic status``: what is done, stale, missing or failed."""

from __future__ import annotations

from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace

_SHOWN = 5


def status(
    context: typer.Context,
    verify: Annotated[bool, typer.Option("--verify", help="Read every shard in full and check its digest.")] = False,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Show each stage's shards: done, stale, missing, damaged, incomplete, and why."""
    from pipelines.chain.status import status as find_status

    found = find_status(open_workspace(context, workspace), verify=verify)
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


def _missing(count: int) -> str:
    what = "1 video was" if count == 1 else f"{count} videos were"
    return f"{what} not found under any video root by the last xmic prepare, or is gone since"
