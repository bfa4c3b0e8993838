"""What benchmarks measured: a small JSON file each, written once, with what it was made under."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.engine.atomic import replace_atomically


@dataclass(frozen=True)
class Results:
    """The results below a folder.

    Attributes:
        folder: where.
        made: what they are made under, the same for all of them: of a drawn world its frozen hash and size, of seconds
            the machine, for those of two machines have no ratio.
    """

    folder: Path
    made: dict[str, Any]

    def read(self, name: str) -> dict[str, Any] | None:
        """A result, None when it is not there.

        Raises:
            InputError: it was made under something else.
        """
        file = self._file(name)
        if not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        under = found.pop("made")
        for what, value in self.made.items():
            if under.get(what) != value:
                raise InputError(
                    f"{file}: made with {what} {under.get(what)}, here it is {value}. Name an empty folder of results."
                )
        return found

    def write(self, name: str, result: dict[str, Any]) -> None:
        with replace_atomically(self._file(name)) as temporary:
            temporary.write_text(json.dumps({**result, "made": self.made}, sort_keys=True) + "\n", encoding="utf-8")

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def results_of(folder: Path, command: str) -> Results:
    """The results that are in a folder, all made under the same.

    Args:
        folder: where.
        command: that makes them.

    Raises:
        InputError: there is none.
    """
    first = min(folder.rglob("*.json"), default=None)
    if first is None:
        raise InputError(f"{folder}: there is no result to report. Run {command}")
    return Results(folder, json.loads(first.read_text(encoding="utf-8"))["made"])


def result_name(seed: int, source: str, cell: str) -> str:
    """Of a cell on a drawn world."""
    return f"{seed_name(seed)}/{source}/{cell}"


def seed_name(seed: int) -> str:
    """Of the folder of a world's results."""
    return f"seed-{seed}"
