"""``xmic prepare egtea``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli.commands.prepare.options import Name, Pattern, PrepareOptions
from xmic_cli.commands.prepare.result import run
from xmic_cli.spread import spread


@spread
def egtea(
    context: typer.Context,
    annotations: Annotated[Path, typer.Option(help="Folder with train_split1.txt, …, verb_idx.txt, noun_idx.txt.")],
    drop_empty_class: Annotated[
        bool,
        typer.Option("--drop-empty-class", help="53 nouns and 19 verbs, without the empty class of code and paper."),
    ] = False,
    pattern: Pattern = None,
    name: Name = "egtea",
    *,
    shared: PrepareOptions,
) -> None:
    """EGTEA Gaze+, from the official text files; test is the union of the test splits that are there.

    --pattern takes {session} and {clip_id}. --device and --offline are taken, as by every stage; reading text files
    needs neither.
    """
    from data_manifests.readers.egtea import EgteaReader

    run(context, name, EgteaReader(annotations, not drop_empty_class, pattern or []), shared)
