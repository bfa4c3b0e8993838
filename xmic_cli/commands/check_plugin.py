"""``xmic check-plugin``: check a class of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.engine.options import Doc
from xmic_cli import console
from xmic_cli.options import Json
from xmic_cli.settings import ReaderSettings, toml_settings
from xmic_cli.spread import spread

_WORDS = {True: "pass", False: "FAIL", None: "not tried"}


@spread
def check_plugin(
    spec: Annotated[str, typer.Argument(metavar="PACKAGE.MODULE:CLASS", help="Your class.")],
    kind: Annotated[
        Literal["method", "encoder", "detector", "reader"] | None,
        Doc("Kind of the class. (default: by its attributes)"),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights for a detector.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="Annotations for a reader.")] = None,
    set_: ReaderSettings = None,
    json: Json = False,
) -> None:
    """Check a method, encoder, detector or reader of your own.

    A reader is tried on your files, any other class on small made-up data. Prints a line for each promise; exits 3 when
    one is broken.
    """
    from data_manifests.errors import InputError
    from pipelines.plugin_check.check import check_plugin as check
    from pipelines.plugin_check.check import kind_of

    chosen = kind or kind_of(spec)
    verdicts = check(
        spec,
        chosen,
        weights=weights,
        annotations=annotations,
        settings=toml_settings(set_ or []),
    )
    lines = [f"{_WORDS[item.kept]:<9}  {item.promise}{f': {item.detail}' if item.detail else ''}" for item in verdicts]
    console.emit({"kind": chosen, "promises": [vars(item) for item in verdicts]}, json, lines)
    broken = sum(item.kept is False for item in verdicts)
    if broken:
        raise InputError(f"{spec}: {broken} of {len(verdicts)} promises of a {chosen} are broken.")
