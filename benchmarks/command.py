"""What all benchmarks with results of their own do alike: how they are called, how they end and write a report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from data_manifests.errors import XmicError
from pipelines.engine.atomic import replace_atomically


def parser_of(module: str, description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a benchmark, which has ``--report`` and ``--quick``."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write the tables of what is there, and run nothing"
    )
    parser.add_argument("--quick", action="store_true", help="something tiny, nothing kept")
    return parser


def exit_code_of(act: Callable[[], int], stopped: str) -> int:
    """Run a benchmark; an error's text goes to stderr.

    Args:
        act: does it; its exit code.
        stopped: what is said after Ctrl-C, which ends with 130.
    """
    try:
        return act()
    except XmicError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return 130


def write_report(file: Path, text: str) -> int:
    """Write it, say where, and end well."""
    with replace_atomically(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(file)
    return 0


def table_section(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], text: str = "") -> list[str]:
    """Lines of a heading, a paragraph if there is one, and a table; none where there is no row."""
    if not rows:
        return []
    return [f"## {title}", "", *([text, ""] if text else []), markdown_table(columns, rows), ""]


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table without a line break at its end."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *rows))
