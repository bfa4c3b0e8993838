"""Find which classes of a detector are hands, and their sides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from data_manifests.errors import InputError

Side = Literal["left", "right"]


def hand_classes(path: Path, names: tuple[str, ...], hand_class: str | int | None) -> dict[int, Side | None]:
    """Find the classes that are hands, and their sides.

    Args:
        path: the file of the names, for error messages.
        names: names of all classes.
        hand_class: the class that is a hand, by name or index; None finds hands by name.

    Returns:
        Index of each such class → 'left', 'right', or None where its name gives no side.

    Raises:
        InputError: no class is a hand.
    """
    listed = ", ".join(f"{index} {name}" for index, name in enumerate(names[:100]))
    if hand_class is None:
        found = {index: class_side(name) for index, name in enumerate(names) if _is_hand(name)}
        if not found:
            raise InputError(f"{path}: none of its classes is named hand: {listed}. Say which one is, as hand_class.")
        return found
    lowered = [name.lower() for name in names]
    wanted = str(hand_class).lower()
    if wanted in lowered:
        index = lowered.index(wanted)
    elif wanted.isdigit() and int(wanted) < len(names):
        index = int(wanted)
    else:
        raise InputError(f"{path}: has no class '{hand_class}'. Its classes are: {listed}.")
    return {index: class_side(names[index])}


def _words(name: str) -> list[str]:
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return [word for word in re.sub(r"(left|right|hands?)", r" \1 ", " ".join(words)).split() if word]


def _is_hand(name: str) -> bool:
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
