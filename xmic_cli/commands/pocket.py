"""``xmic pocket``: a small drawn world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.engine.options import LARGEST_SEED, Doc
from xmic_cli import console
from xmic_cli.options import Json, Workers, machine_of
from xmic_cli.spread import spread

app = typer.Typer(
    no_args_is_help=True, help="Build Pocket Kitchens, a small drawn world written as the real datasets are."
)


@app.command("build")
@spread
def build(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")] = Path("pocket"),
    size: Annotated[
        Literal["small", "demo", "compact", "medium", "full"],
        Doc("small: 40 clips per domain; demo: 350; compact: 1,100; medium: 1,750; full: 7,000."),
    ] = "demo",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the world.")] = 0,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Render the drawn world as EPIC-KITCHENS-100 and as Ego4D.

    One domain is written as EPIC-KITCHENS-100 and the other as Ego4D, with the true hand boxes of both. Run it again
    after a stop: finished videos are kept. xmic prepare epic and xmic prepare ego4d read them.
    """
    from pocket_kitchens.build import build_world

    count = machine_of(workers, "cpu", offline=True).workers
    built = build_world(folder, size, seed, count, console.progress())
    lines = [
        f"{name}: {clips['train']} training and {clips['test']} test clips in {built.videos[name]} videos; "
        f"the noun alone gives the verb of {built.noun_predicts_verb[name]:.1f} % of the test clips"
        for name, clips in built.clips.items()
    ]
    if not built.made:
        lines.append("nothing to render: every video was there")
    console.emit(vars(built), json, lines)
