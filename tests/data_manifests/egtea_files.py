"""Writes small annotation folders in the grammar of EGTEA's action_annotation.zip, with lines of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

VERBS = ["Stir", "Fold in", "Lift/Carry Off"]
NOUNS = ["ladle", "bread_board", "bowl", "dough"]
ACTIONS = ["Stir bowl,ladle", "Fold in dough", "Lift/Carry Off bread_board", "Stir dough,ladle,bowl"]
SESSION = "Q01-R02-PieCrust"


def clip(number: int = 1, session: str = SESSION) -> str:
    """The id of a clip of one second."""
    start = number * 1000
    return f"{session}-{start}-{start + 1000}-F{start // 42:06d}-F{start // 42 + 29:06d}"


def line(number: int = 1, ids: str = "2 2 4") -> str:
    """A line of a split file; 'Fold in dough' when no ids are given."""
    return f"{clip(number)} {ids}"


def write_index(folder: Path, what: str, names: Sequence[str]) -> Path:
    file = folder / f"{what}_idx.txt"
    file.write_text("".join(f"{name} {number}\n" for number, name in enumerate(names, start=1)))
    return file


def write_egtea(folder: Path, splits: Mapping[str, Sequence[str]] | None = None) -> Path:
    """An annotation folder: the index files and a file for each split, 'test_split1' and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, names in (("verb", VERBS), ("noun", NOUNS), ("action", ACTIONS)):
        write_index(folder, what, names)
    for split, lines in (splits if splits is not None else {"test_split1": [line()]}).items():
        (folder / f"{split}.txt").write_text("".join(f"{text}\n" for text in lines))
    return folder
