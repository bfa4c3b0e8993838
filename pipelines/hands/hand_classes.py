"""Find which classes of a detector are hands, and their sides."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from data_manifests.errors import InputError

Side = Literal["left", "right"]
_OPTION = (
    "Say which are hands with --hand-class of xmic detect-hands or xmic hands test, with commas or repeated: "
    "--hand-class {}"
)


def hand_classes(
    path: Path | str,
    names: tuple[str, ...],
    hand_class: str | int | Sequence[str | int] | None,
    way_out: str = _OPTION,
) -> dict[int, Side | None]:
    """Find the classes that are hands, and their sides.

    Args:
        path: the file of the names, or what has them, for error messages.
        names: names of all classes.
        hand_class: the classes that are hands, each by name or index; a text may be several with commas between. None
            finds hands by name; 'left' and 'right' are hands where there is no other class.
        way_out: what to do if none is found by name, with ``{}`` in place of the names that give a side.

    Returns:
        Index of each such class → 'left', 'right', or None where its name gives no side.

    Raises:
        InputError: no class is a hand.
    """
    listed = ", ".join(f"{index} {name}" for index, name in enumerate(names[:100]))
    if hand_class is None:
        found = [index for index, name in enumerate(names) if is_hand(name)]
        if not found and sorted(str(class_side(name)) for name in names if len(_words(name)) == 1) == ["left", "right"]:
            found = list(range(len(names))) if len(names) == 2 else []
        if not found:
            sided = ",".join(name for name in names if class_side(name)) or "NAME"
            way_out = way_out.format(shlex.quote(sided))
            raise InputError(f"{path}: none of its classes is named hand: {listed}. {way_out}")
        return {index: class_side(names[index]) for index in found}
    wanted = [hand_class] if isinstance(hand_class, str | int) else list(hand_class)
    indices = [index for one in wanted for index in _indices(path, names, str(one), listed)]
    return {index: class_side(names[index]) for index in sorted(set(indices))}


def _indices(path: Path | str, names: tuple[str, ...], wanted: str, listed: str) -> list[int]:
    """Find the classes of a name, an index, or several of them with commas between."""
    for same in (str, str.lower):
        found = [index for index, name in enumerate(names) if same(name) == same(wanted)]
        if found:
            return found
    if wanted.isdecimal() and int(wanted) < len(names):
        return [int(wanted)]
    parts = [part.strip() for part in wanted.split(",")]
    if len(parts) > 1 and all(parts):
        return [index for part in parts for index in _indices(path, names, part, listed)]
    raise InputError(f"{path}: has no class '{wanted}'. Its classes are: {listed}.")


def _words(name: str) -> list[str]:
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return [word for word in re.sub(r"(left|right|hands?)", r" \1 ", " ".join(words)).split() if word]


def is_hand(name: str) -> bool:
    """Check whether a class name says hand and at most its side."""
    words = _words(name)
    return ("hand" in words or "hands" in words) and set(words) <= {"hand", "hands", "left", "right", "l", "r"}


def class_side(name: str) -> Side | None:
    """Return the side that a class name gives, or None."""
    sides: set[Side] = set()
    for word in _words(name):
        if word in ("left", "l"):
            sides.add("left")
        elif word in ("right", "r"):
            sides.add("right")
    return sides.pop() if len(sides) == 1 else None
