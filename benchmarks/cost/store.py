"""Results: a small JSON each, with what it was measured on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.atomic import replace_atomically


@dataclass(frozen=True)
class Store:
    """The results below a folder.

    Attributes:
        folder: where.
        made: what they are measured on, the same for all of them: seconds of two machines have no ratio.
    """

    folder: Path
    made: dict[str, Any]

    def read(self, name: str) -> dict[str, Any] | None:
        """A result, None when it is not there.

        Raises:
            InputError: it was measured on something else.
        """
        file = self.folder / f"{name}.json"
        if not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for what, value in self.made.items():
            if found["on"].get(what) != value:
                raise InputError(
                    f"{file}: measured with {what} {found['on'].get(what)}, here it is {value}. "
                    "Name an empty folder: --into."
                )
        return found

    def write(self, name: str, result: dict[str, Any]) -> None:
        with replace_atomically(self.folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps({**result, "on": self.made}, sort_keys=True) + "\n", encoding="utf-8")


def stored(folder: Path) -> Store:
    """The results that are in a folder, all of one machine.

    Raises:
        InputError: there is none.
    """
    first = min(folder.rglob("*.json"), default=None)
    if first is None:
        raise InputError(f"{folder}: there is no result to report. Run python -m benchmarks.cost --into {folder}")
    return Store(folder, json.loads(first.read_text(encoding="utf-8"))["on"])
