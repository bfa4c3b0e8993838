"""Write what a program of this folder found into ``docs/reliability.md``."""

from __future__ import annotations

import datetime
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_VERSIONS = ("torch", "pyarrow", "av", "numpy")


def with_section(page: str, name: str, lines: Sequence[str]) -> str:
    """Replace what lies between the marks of a section.

    Raises:
        ValueError: the page has no such section.
    """
    begin, end = f"<!-- {name}: written by its program -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"expected {begin} and {end}")
    text = "\n".join([begin, "", *lines, "", end])
    return re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: text, page, flags=re.DOTALL)


def write_section(name: str, lines: Sequence[str]) -> None:
    """Write a section of the page."""
    PAGE.write_text(with_section(PAGE.read_text("utf-8"), name, lines), "utf-8")


def made_by(command: str) -> str:
    """Say which command wrote a section, when and with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    today = datetime.datetime.now(datetime.UTC).date()
    return f"`{command}`, {today}, Python {platform.python_version()}, {versions}."


def table(head: Sequence[str], rows: Mapping[str, Sequence[object]]) -> list[str]:
    """Write a table of Markdown; the first column names the rows."""
    lines = [f"| {' | '.join(head)} |", f"|---{'|--:' * (len(head) - 1)}|"]
    return lines + [f"| {name} | {' | '.join(map(str, row))} |" for name, row in rows.items()]
