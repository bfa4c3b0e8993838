"""What benchmarks measured: a file of JSON lines, a line per result, each with what it was made under."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data_manifests.errors import InputError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.locks import exclusive_lock

_FORM = {"made": dict, "name": str, "result": dict}
"""The members of a line."""


@dataclass(frozen=True)
class Results:
    """The results in a file, sorted by name.

    Attributes:
        file: where; it need not exist.
        made: what they are made under, the same for all of them: of a drawn world its frozen hash and size, of seconds
            the machine, for those of two machines have no ratio.
    """

    file: Path
    made: dict[str, Any]

    def read(self, name: str) -> dict[str, Any] | None:
        """Read a result, None when it is not there.

        Raises:
            InputError: it was made under something else, or a line of the file is damaged.
        """
        line = _lines_of(self.file).get(name)
        if line is None:
            return None
        record = json.loads(line)
        for what, value in self.made.items():
            if record["made"].get(what) != value:
                raise InputError(
                    f"{self.file}: {name} was made with {what} {record['made'].get(what)}, here it is {value}. "
                    "Pass --results with another file."
                )
        found: dict[str, Any] = record["result"]
        return found

    def write(self, name: str, result: dict[str, Any]) -> None:
        """Write a result, in the place of one of that name; other lines keep their bytes.

        Raises:
            InputError: a line of the file is damaged.
        """
        record = {"made": self.made, "name": name, "result": result}
        line = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        # Another process may write another result meanwhile: the file is read again once nobody else has it.
        with exclusive_lock(self.file):
            lines = {**_lines_of(self.file), name: line}
            with replace_atomically(self.file) as temporary:
                temporary.write_bytes(b"".join(lines[of] + b"\n" for of in sorted(lines)))


def results_of(file: Path, command: str) -> Results:
    """Open the results in a file, all made under the same.

    Args:
        file: where.
        command: that makes them.

    Raises:
        InputError: there is none, or a line of the file is damaged.
    """
    lines = _lines_of(file)
    if not lines:
        raise InputError(f"{file}: there is no result to report. Run {command}")
    return Results(file, json.loads(lines[min(lines)])["made"])


def result_name(seed: int, source: str, cell: str) -> str:
    """Of a cell on a drawn world."""
    return f"{seed_name(seed)}/{source}/{cell}"


def seed_name(seed: int) -> str:
    """Of a world's folder, and before the first stroke of the names of its results."""
    return f"seed-{seed}"


def _lines_of(file: Path) -> Mapping[str, bytes]:
    """Read the lines of a file by name; none where there is no file."""
    if file.is_dir():
        raise InputError(f"{file}: this is a folder, expected a file of results. Pass --results with a file.")
    try:
        state = file.stat()
    except FileNotFoundError:
        return {}
    return _lines_in(file, (state.st_ino, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=4)
def _lines_in(file: Path, state: tuple[int, ...]) -> Mapping[str, bytes]:
    """Read and check the lines of a file in one state of it: a report asks for hundreds of results."""
    lines: dict[str, bytes] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        name = _name_in(line, f"{file}, line {number}")
        if name in lines:
            raise _damaged(f"{file}, line {number}", f"a second result {name}")
        lines[name] = line
    return MappingProxyType(lines)


def _name_in(line: bytes, place: str) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or {member: type(value) for member, value in record.items()} != _FORM:
        raise _damaged(place, f"{line.decode(errors='replace')!r:.60}")
    name: str = record["name"]
    return name


def _damaged(place: str, found: str) -> InputError:
    return InputError(
        f"{place}: {found}; expected one JSON object with made, name and result. Restore the file, or remove the line "
        "and measure its result again."
    )
