"""``xmic look``: clips and counts of a dataset as a page."""

from __future__ import annotations

from typing import Any

import typer

from pipelines.look.options import LookOptions
from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption, open_workspace
from xmic_cli.spread import spread


@spread
def look(
    context: typer.Context,
    *,
    options: LookOptions,
    workspace: WorkspaceOption = None,
    json: Json = False,
) -> None:
    """Show a dataset before training: clips with hand boxes, classes, lengths, rejects.

    It writes one self-contained page, and works after any of prepare, decode and detect-hands: the page says which
    command adds what is missing.
    """
    from pipelines.look.page import write_look

    written = write_look(open_workspace(context, workspace), options)
    if json:
        console.emit(written, True)
        return
    columns = ["split", "clips", "videos", "recordings", "hours", "nouns", "verbs", "frames", "with a hand"]
    console.table(options.dataset, columns, [_row(split) for split in written["splits"]])
    for text in written["checks"]:
        console.note(f"check: {text}")
    for command in written["next"]:
        console.note(f"next: {command}")
    console.note(f"html: {written['html']}")


def _row(split: dict[str, Any]) -> list[str]:
    rate = split["hand_rate"]
    return [
        split["split"],
        *(f"{split[name]:,}" for name in ("clips", "videos", "recordings")),
        f"{split['hours']:.2f}",
        *(f"{split['classes'][label]}" for label in ("noun", "verb")),
        "–" if split["frames"] is None else f"{split['frames']:,}",
        "–" if rate is None else f"{rate:.1f} %",
    ]
