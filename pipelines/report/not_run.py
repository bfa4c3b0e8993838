"""Gather the commands of everything that a report lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.engine.command_lines import command_line
from pipelines.evaluate.options import EvaluateOptions
from pipelines.report.collect import Collected
from pipelines.report.headlines import Headline
from pipelines.report.table_plans import Column
from pipelines.report.tables import TableRow, Tables
from pipelines.train.options import TrainOptions

_THEN = "; then "


@dataclass(frozen=True)
class NotRun:
    """Something that is not run yet, with its commands in order."""

    why: str
    commands: Sequence[str]


def not_run(found: Collected, tables: Tables, lines: Sequence[Headline]) -> list[NotRun]:
    """List what is not run, each command once.

    That is zero-shot where nothing is compared with it, what evaluations lack, what rows of the paper's tables lack,
    and tables without runs.

    Args:
        found: the evaluations.
        tables: made of them.
        lines: comparisons with zero-shot.
    """
    listed = []
    first = found.evaluations[0]
    if not lines and first.source and not any(one.run.method == "zero-shot" for one in found.evaluations):
        train = command_line("train", TrainOptions(first.source.dataset, "zero-shot"))
        listed.append(
            ("no run is compared with zero-shot", f"{train}{_THEN}{command_line('evaluate', EvaluateOptions())}")
        )
    listed += [(gap.why, gap.command) for gap in found.gaps]
    for table in tables.tables:
        for section in table.sections:
            listed += [(f"{row.title}, {section.title}", command) for row in section.rows for command in row.commands]
    listed += [(gap.why, gap.command) for gap in tables.unbegun]
    seen: set[str] = set()
    items = []
    for why, command in listed:
        if command not in seen:
            seen.add(command)
            items.append(NotRun(why, command.split(_THEN)))
    return items


def empty(row: TableRow, columns: Sequence[Column]) -> bool:
    """Return whether a row has no number in some columns.

    Neither we nor the paper have one.
    """
    cells = [row.cells[column.name] for column in columns]
    return all(cell.value is None and cell.paper is None for cell in cells)
