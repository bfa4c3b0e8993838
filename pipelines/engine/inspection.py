"""Compare a shard's footer with what the shard should be."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pipelines.engine.shards import DamagedShard, Footer, footer_of_side, read_footer, shard_key, side_path


@dataclass(frozen=True)
class Unit:
    """One shard to make.

    Attributes:
        group: the group of videos it holds; part of the file name.
        path: file of the finished shard.
        inputs: name → content digest of each input.
        attempted: number of rows that the stage will try to make.
        size: expected size in bytes, about.
        payload: data that the stage needs to make it.
        lacks: input that is not there yet, and the command that makes it; empty where the unit can be made.
    """

    group: str
    path: Path
    inputs: Mapping[str, str]
    attempted: int = 0
    size: int = 0
    payload: Any = None
    lacks: str = ""


class Declared(Protocol):
    """Name, version and parameters of a stage, which its shard keys cover."""

    @property
    def name(self) -> str:
        """Name of the stage."""
        ...

    @property
    def version(self) -> int:
        """Schema version; raised when equal inputs and parameters give other bytes."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """Exactly those plain values that change the bytes of the shards."""
        ...


class State(enum.StrEnum):
    """State of a shard by its footer."""

    DONE = "done"
    STALE = "stale"
    MISSING = "missing"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Inspection:
    """A unit with its state, the reason, and its footer if readable."""

    unit: Unit
    state: State
    why: str
    footer: Footer | None = None


def inspect(stage: Declared, unit: Unit, *, as_recorded: bool = False) -> Inspection:
    """Compare the footer of a shard with its stage and inputs.

    Args:
        stage: the stage that makes the shard.
        unit: the shard, with its inputs as they are now.
        as_recorded: take the names of the inputs from the shard's footer; those that ``unit`` lacks count as unchanged.
    """
    try:
        footer = read_footer(unit.path)
    except FileNotFoundError:
        return Inspection(unit, State.MISSING, "not made yet")
    except DamagedShard as error:
        return Inspection(unit, State.DAMAGED, str(error))
    if as_recorded:
        unit = replace(unit, inputs={name: unit.inputs.get(name, then) for name, then in footer.inputs.items()})
    if footer.key != shard_key(stage.name, stage.version, stage.params, unit.inputs):
        return Inspection(unit, State.STALE, _what_changed(stage, unit, footer), footer)
    for side, digest in footer.sides.items():
        if footer_of_side(unit.path, side) != digest:
            part = side_path(unit.path, side).relative_to(unit.path.parent)
            return Inspection(unit, State.DAMAGED, f"its side part {part} is missing or of another run")
    if not footer.complete:
        reasons = ", ".join(f"{n} {reason}" for reason, n in footer.failures.items())
        return Inspection(unit, State.INCOMPLETE, f"failures that may pass: {reasons}", footer)
    return Inspection(unit, State.DONE, "", footer)


def _what_changed(stage: Declared, unit: Unit, footer: Footer) -> str:
    if (footer.stage, footer.version) != (stage.name, stage.version):
        return f"written by {footer.stage} version {footer.version}, now {stage.name} version {stage.version}"
    for what, old, new in (("", footer.params, stage.params), ("input ", footer.inputs, unit.inputs)):
        changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if changed:
            name = changed[0]
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            if name not in new:
                return f"{what}{name} is gone{more}"
            if name not in old:
                return f"{what}{name} is new{more}"
            if what:
                return f"{what}{name} changed{more}"
            return f"{name} changed from {old[name]!r} to {new[name]!r}{more}"
    return "key differs"
