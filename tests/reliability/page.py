"""Write ``docs/reliability.md`` from what the programs of this folder found.

Each program keeps its counts in ``results/<program>.json``. After a change of these files:

    python -m tests.reliability.page
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
RESULTS = Path(__file__).parent / "results"
_ORDER = ("kills", "flips", "faults", "loaders", "tables", "media", "security")
_VERSIONS = ("torch", "pyarrow", "av", "numpy")
_HEAD = """\
# Reliability

What was done to xmic to see whether it keeps its promises, and what came of it. The programs lie in
`tests/reliability/`. They make all of their inputs themselves and choose by a seed, so anyone can run them again. They
write the counts below. A sample of each runs in the test suite.
"""


@dataclass(frozen=True)
class Found:
    """What one program found.

    Attributes:
        title: heading of its section.
        about: paragraphs: what is done, and what counts as right.
        command: as it was typed.
        summary: the totals in a sentence.
        head: names of the table's columns.
        rows: of the table; the first cell names the row.
        wrong: one line for each thing that was wrong.
        date: of the run.
        versions: of what was run.
    """

    title: str
    about: Sequence[str]
    command: str
    summary: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    wrong: Sequence[str] = ()
    date: str = field(default_factory=lambda: str(datetime.datetime.now(datetime.UTC).date()))
    versions: dict[str, str] = field(
        default_factory=lambda: {"Python": platform.python_version(), **{name: version(name) for name in _VERSIONS}}
    )

    @property
    def lines(self) -> list[str]:
        """The section, in Markdown."""
        text = [f"## {self.title}", ""]
        for paragraph in self.about:
            text += [paragraph, ""]
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        text += [f"`{self.command}`, {self.date}, {versions}:", "", self.summary, ""]
        text += [f"| {' | '.join(self.head)} |", f"|---{'|--:' * (len(self.head) - 1)}|"]
        text += [f"| {' | '.join(map(str, row))} |" for row in self.rows]
        return text + ["", *(f"- {line}" for line in self.wrong)] if self.wrong else text


def mutant_arguments(about: str | None, mutants: int) -> argparse.Namespace:
    """Read the options of a program that damages files: ``mutants`` (its default is given), seed, only and write."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--mutants", type=int, default=mutants, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the name of a kind")
    parser.add_argument("--write", action="store_true", help="keep the counts, and write docs/reliability.md")
    return parser.parse_args()


def record(program: str, found: Found) -> None:
    """Keep what a program found, and write the page."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{program}.json").write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    PAGE.write_text(text_of_page(), "utf-8")


def text_of_page() -> str:
    """Write the page from all results."""
    there = {file.stem: Found(**json.loads(file.read_text("utf-8"))) for file in sorted(RESULTS.glob("*.json"))}
    names = [name for name in _ORDER if name in there] + [name for name in there if name not in _ORDER]
    return "\n".join([_HEAD, *("\n".join([*there[name].lines, ""]) for name in names)])


if __name__ == "__main__":
    PAGE.write_text(text_of_page(), "utf-8")
