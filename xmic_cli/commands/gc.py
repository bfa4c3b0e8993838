"""``xmic gc``: free what the workspace can do without."""

from __future__ import annotations

import typer

from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace
from xmic_cli.removing import OnlyShow, Yes, may_remove, size


def gc(
    context: typer.Context,
    dry_run: OnlyShow = False,
    yes: Yes = False,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Free disk: old frames, boxes, crops, caches and leftovers.

    What would be removed is printed first, with sizes and reasons. Runs, evaluations and reports are never removed, nor
    what another process is writing. Among frames, boxes and crops the newest are kept, and those that runs use.
    """
    from pipelines.chain.unused import find_unused, remove_empty_folders
    from pipelines.engine.locks import LockedElsewhere
    from pipelines.engine.removal import InUse, remove_unused

    space = open_workspace(context, workspace)
    found = find_unused(space)
    total = sum(item.bytes for item in found)
    rows = [[str(item.path.relative_to(space.root)), size(item.bytes), item.why] for item in found]
    if found and not json:
        console.table(f"not needed in {space.root}", ["what", "size", "why"], rows)
    kept: dict[str, str] = {}
    removed = bool(found) and not dry_run and may_remove(yes, json)
    for item in found if removed else ():
        try:
            remove_unused([item.path], space.root)
        except (InUse, LockedElsewhere) as error:
            kept[str(item.path)] = str(error)
            console.note(f"kept: {error}")
    if (removed or not found) and not dry_run:
        remove_empty_folders(space)
    answer = [{"path": str(item.path), "bytes": item.bytes, "why": item.why} for item in found]
    freed = sum(item.bytes for item in found if str(item.path) not in kept)
    text = f"{'freed' if removed else 'would free'} {size(freed if removed else total)}"
    console.emit(
        {"unused": answer, "removed": removed, "kept": kept, "bytes": freed if removed else total},
        json,
        [text if found else "nothing to remove"],
    )
