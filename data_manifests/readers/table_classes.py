"""Find the classes that the rows of a user's table name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.classes import class_row, class_table
from data_manifests.errors import InputError
from data_manifests.readers import Reject
from data_manifests.readers.table_cells import (
    MISSING_WORDS,
    class_name,
    meant,
    missing_words,
    names,
    other_spellings,
    rows_of,
    whole_number_name,
)
from data_manifests.readers.table_files import read_names
from data_manifests.schema import LABELS, Label

PlacedRow = tuple[Path, int, dict[str, Any]]
"""File, number and cells of a row."""


@dataclass(frozen=True)
class TableClasses:
    """Class lists of a table of clips.

    They are those of class files, else the names in the data.

    Attributes:
        files: text files with one class name per line, by label.
        rows: returns all rows of all tables.
    """

    files: Mapping[Label, Path]
    rows: Callable[[], Iterable[PlacedRow]]

    def table(self, label: Label) -> pa.Table:
        """Return the class list of a label.

        The names are those of the class file, else all names in the data in alphabetical order.
        """
        found = list(self._listed[label]) if label in self._listed else sorted(self._used[label])
        return class_table([class_row(number, name, name) for number, name in enumerate(found)])

    def of_row(self, row: dict[str, Any], label: Label) -> list[str]:
        """Return the classes that a row names.

        Of several nouns, the leading one is first.

        Raises:
            Reject: a cell is no name.
        """
        return [name for name in _written(row, label) if not self._is_missing(label, name)]

    def class_id(self, label: Label, name: str) -> int:
        """Return the id of a class.

        Raises:
            Reject: the class file does not have the name.
        """
        known = self._ids[label]
        if name not in known:
            raise Reject("unknown_class", f"{label} {name!r} is not in {self.files[label].name}{meant(name, known)}")
        return known[name]

    def findings(self) -> list[str]:
        """Report words for missing labels and names that differ in spelling only."""
        said: list[str] = []
        for label in LABELS:
            for word, rows in self._named[label].items():
                if not self._is_missing(label, word):
                    continue
                said.append(
                    f"{label} {word!r} ({rows_of(rows)}) counts as no label, since programs write so what is missing; "
                    f"if it is a class, list it in --{label}s FILE"
                )
            if label not in self.files:
                used = self._used[label]
                said += [
                    f"{label} {word!r} ({rows_of(used[word])}) is a class; if it says that the label is missing, "
                    "empty the cells"
                    for word in missing_words(used)
                ]
                said += other_spellings(label, used)
        return said

    @cached_property
    def _listed(self) -> dict[Label, dict[str, None]]:
        """Label → names of its class file, in order."""
        listed: dict[Label, dict[str, None]] = {}
        for label, file in self.files.items():
            found = [whole_number_name(name) for name in read_names(file)]
            twice = [name for name, count in Counter(found).items() if count > 1]
            if twice:
                raise InputError(f"{file}: {twice[0]} and {twice[0]}.0 are one class; expected each once.")
            listed[label] = dict.fromkeys(found)
        return listed

    @cached_property
    def _used(self) -> dict[Label, dict[str, list[tuple[str, int]]]]:
        """Label → name → the rows that have it."""
        return {
            label: {name: rows for name, rows in named.items() if not self._is_missing(label, name)}
            for label, named in self._named.items()
        }

    @cached_property
    def _ids(self) -> dict[Label, dict[str, int]]:
        return {
            label: {name: i for i, name in enumerate(self.table(label).column("name").to_pylist())} for label in LABELS
        }

    @cached_property
    def _named(self) -> dict[Label, dict[str, list[tuple[str, int]]]]:
        """Label → name, or text for a missing value → the rows that have it."""
        named: dict[Label, dict[str, list[tuple[str, int]]]] = {label: {} for label in LABELS}
        for file, line, row in self.rows():
            for label, found in named.items():
                with suppress(Reject):
                    for name in _written(row, label):
                        found.setdefault(name, []).append((file.name, line))
        return named

    def _is_missing(self, label: Label, name: str) -> bool:
        """Tell whether a name stands for a missing label: a class list may have it."""
        return name in MISSING_WORDS and name not in self._listed.get(label, ())


def _written(row: dict[str, Any], label: Label) -> Sequence[str]:
    """Return the names in a row's cells."""
    own, several = row.get(label), row.get("all_nouns") if label == "noun" else None
    # The few names of a table stand in many rows. Texts are told apart by their value; 1, 1.0 and True are not.
    read = _in_texts if isinstance(own, str | None) and isinstance(several, str | None) else _in_cells
    return read(own, several, label)


def _in_cells(own: Any, several: Any, label: Label) -> tuple[str, ...]:
    name, others = class_name(own, label), names(several)
    return tuple(others) if name is None else (name, *(other for other in others if other != name))


_in_texts = lru_cache(maxsize=4096)(_in_cells)
