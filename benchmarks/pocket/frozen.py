"""What is frozen before any adapter is trained: the source of the world, the encoder's weights and the cells."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pocket_kitchens
from benchmarks.pocket.cells import CELLS, COMPARED, SIZES, recipe
from data_manifests.errors import InputError
from pipelines.embed.encoders.spec import parse_spec
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import digest_json, whole_file_sha256

STORED = Path(__file__).parents[1] / "pocket-frozen.json"
_SOURCE = Path(pocket_kitchens.__file__).parent
_SHOWN = ("section", "title")
_NO_WORLD = ("__init__.py", "demo.py")
"""Files that decide nothing about a world."""
_COMMAND = "python -m benchmarks.pocket --freeze"


def first_experiment() -> list[Any]:
    """What the first experiment measures: its cells, comparisons and recipes."""
    cells = [{name: value for name, value in asdict(cell).items() if name not in _SHOWN} for cell in CELLS]
    return [cells, COMPARED, {size: recipe(size) for size in SIZES}]


def frozen_now(encoder: str, measured: Any = None) -> dict[str, Any]:
    """'world' (file → sha256 of its text), 'encoder' (sha256 of the weights), 'cells' (sha256), and 'hash' over all.

    Args:
        encoder: its spec.
        measured: what the experiment measures, in plain values; None = the first experiment.

    Raises:
        InputError: the encoder's weights are not there, or are no file.
    """
    weights = parse_spec(encoder).file
    if weights is None or not weights.is_file():
        raise InputError(
            f"--encoder {encoder}: {weights or 'no file of weights'} is not there; it is part of the hash."
        )
    files = sorted([*_SOURCE.rglob("*.py"), *_SOURCE.rglob("*.toml")])
    world = {
        file.relative_to(_SOURCE).as_posix(): whole_file_sha256(file) for file in files if file.name not in _NO_WORLD
    }
    told = first_experiment() if measured is None else measured
    facts = {"world": world, "encoder": whole_file_sha256(weights), "cells": digest_json(told)}
    return {**facts, "hash": digest_json(facts)}


def freeze(now: dict[str, Any], stored: Path = STORED) -> bool:
    """Store the hash, or check it against the stored one; whether it was stored by this call.

    Raises:
        InputError: another one is stored.
    """
    if stored.is_file():
        require_frozen(now, stored)
        return False
    with replace_atomically(stored) as temporary:
        temporary.write_text(json.dumps(now, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return True


def freeze_and_tell(now: dict[str, Any], stored: Path = STORED) -> int:
    """Store or check the hash, and print which; the exit code of --freeze.

    Raises:
        InputError: another one is stored.
    """
    new = freeze(now, stored)
    print(f"{now['hash']}  {stored}: {'stored' if new else 'as it was frozen'}")
    return 0


def require_frozen(now: dict[str, Any], stored: Path = STORED) -> None:
    """Refuse to go on unless what is there now is what was frozen.

    Raises:
        InputError: nothing is frozen, or something else; names what changed.
    """
    if not stored.is_file():
        raise InputError(f"{stored}: nothing is frozen, so no adapter is trained. Run {_COMMAND} and commit the file.")
    then = json.loads(stored.read_text(encoding="utf-8"))
    if then["hash"] == now["hash"]:
        return
    files = {*then["world"], *now["world"]}
    changed = sorted(name for name in files if then["world"].get(name) != now["world"].get(name))
    changed += [part for part in ("encoder", "cells") if then[part] != now[part]]
    raise InputError(
        f"{stored}: frozen as {then['hash'][:12]}, here is {now['hash'][:12]}; changed: {', '.join(changed)}. Go back, "
        f"or begin a new experiment: remove the file, run {_COMMAND}, commit it, and name an empty WORK."
    )
