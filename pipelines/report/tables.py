"""Make the paper's tables from our evaluations.

The paper's numbers are beside ours where they are comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import DatasetSplit
from pipelines.report.collect import Collected, Gap
from pipelines.report.paper_match import PaperRows, comparable, real_place, variants
from pipelines.report.table_cells import Measured, TableCell, measured, measured_reference
from pipelines.report.table_commands import to_begin, to_fill, to_train
from pipelines.report.table_compare import Compared, comparisons, corrected, row_title
from pipelines.report.table_groups import Group, by_direction, groups_of
from pipelines.report.table_plans import NUMBERS, TITLES, Column, begun, columns, fits, setting_of

REFERENCES = {
    "chance": "chance",
    "source_majority": "source majority",
    "target_majority": "target majority (oracle)",
    "zero_shot_prior": "zero-shot + source prior",
}


@dataclass(frozen=True)
class TableRow:
    """Row of our runs, of the paper alone, or of a reference.

    Ours are the runs of one setting over their seeds. A row is 'missing' where the paper has it and we have no run.
    """

    kind: Literal["ours", "missing", "reference"]
    title: str
    cells: Mapping[str, TableCell]
    seeds: Sequence[int] = ()
    terms: str = ""
    protocol: str = ""
    marks: str = ""
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """Rows of one direction: a source, its targets and clip lists.

    Attributes:
        paper: the paper has numbers of this direction.
        clip_lists: sha256 of the lists that the evaluations are restricted to.
    """

    source: str
    within: DatasetSplit | None
    cross: DatasetSplit | None
    clip_lists: Sequence[str]
    paper: bool
    rows: Sequence[TableRow]
    compared: Sequence[Compared]

    @property
    def title(self) -> str:
        """Title of the section.

        For example 'trained on ego4d, evaluated on ego4d val and epic val'.
        """
        places = " and ".join(str(place) for place in (self.within, self.cross) if place)
        lists = f", over the clips of {', '.join(sha[:8] for sha in self.clip_lists)}" if self.clip_lists else ""
        return f"trained on {self.source}, evaluated on {places}{lists}"


@dataclass(frozen=True)
class Table:
    """One of the paper's tables with its sections."""

    number: int
    sections: Sequence[Section]

    @property
    def title(self) -> str:
        """Title of the table: 'Table 4: conditioning streams'."""
        return f"Table {self.number}: {TITLES[self.number]}"

    @property
    def columns(self) -> list[Column]:
        """Columns of the table in order."""
        return columns(self.number)


@dataclass(frozen=True)
class Tables:
    """Tables that have runs of ours, and commands that begin the others."""

    tables: Sequence[Table]
    unbegun: Sequence[Gap]


def tables_of(found: Collected, workspace: Workspace) -> Tables:
    """Sort all evaluations into the paper's tables.

    A run is in every table whose setting it fits.
    """
    groups, tables, unbegun = groups_of(found), [], []
    for number in NUMBERS:
        sections = by_direction([group for group in groups if fits(number, group, workspace)])
        shown = [members for members in sections if begun(number, members)]
        if not shown:
            first = next((one for one in found.evaluations if not one.run.scored), found.evaluations[0])
            crossed = any(not metrics.within for metrics in found.evaluations)
            why = f"Table {number} ({TITLES[number]}) has no runs yet"
            unbegun.append(Gap(why, to_begin(number, first.run, first.trained_on.dataset, crossed=crossed)))
            continue
        compared = corrected([list(comparisons(number, members)) for members in shown])
        pairs = zip(shown, compared, strict=True)
        tables.append(Table(number, [_section(number, members, below, workspace) for members, below in pairs]))
    return Tables(tables, unbegun)


def _section(number: int, groups: Sequence[Group], compared: Sequence[Compared], workspace: Workspace) -> Section:
    within = next((group.within for group in groups if group.within), None)
    cross = next((group.cross for group in groups if group.cross), None)
    source = groups[0].first.trained_on.dataset
    real = [{real_place(workspace, pair[place]) for group in groups for pair in group.pairs} for place in (0, 1)]
    own, other = (next((name for name in sorted(filter(None, names))), None) for names in real)
    paper = PaperRows(number, own, other)
    lists = sorted({sha for group in groups for sha in group.clip_lists if sha})
    cross_name = cross.dataset if cross else None
    rows = [_ours(number, group, paper, cross_name) for group in groups]
    order = variants(number)
    there = {(group.run.method, setting_of(number, group)) for group in groups}
    ranked = [
        (order.index(key) if (key := (group.run.method, setting_of(number, group))) in order else len(order), row)
        for group, row in zip(groups, rows, strict=True)
    ]
    if cross is not None and not lists:
        ranked += [
            (place, _missing(number, *key, source, paper)) for place, key in enumerate(order) if key not in there
        ]
    ordered = [row for _, row in sorted(ranked, key=lambda item: item[0])]
    shown = [*ordered, *_references(number, groups)]
    return Section(source, within, cross, lists, bool(paper), shown, compared)


def _ours(number: int, group: Group, paper: PaperRows, cross: str | None) -> TableRow:
    beside = comparable(group, number)
    cells = {}
    for column in columns(number):
        cell = _cell(measured(group.pairs, column.label, column.kind))
        key = (group.run.method, setting_of(number, group), column.label, column.kind)
        printed = paper.number(*key) if beside and cell.value is not None and not cell.partial else None
        cells[column.name] = TableCell(**{**vars(cell), "paper": printed})
    title = row_title(number, group)
    commands = to_fill(group, cross)
    return TableRow("ours", title, cells, group.seeds, group.run.terms, group.protocol_words, group.marks, commands)


def _missing(number: int, method: str, setting: str, source: str, paper: PaperRows) -> TableRow:
    cells = {
        column.name: TableCell(paper=paper.number(method, setting, column.label, column.kind))
        for column in columns(number)
    }
    title = ", ".join(filter(None, (method, setting)))
    return TableRow("missing", title, cells, commands=[to_train(source, method, setting)])


def _references(number: int, groups: Sequence[Group]) -> list[TableRow]:
    """Make the reference rows of the group with most clips; the zero-shot prior is that of each zero-shot row."""
    fullest = max(groups, key=_clips)
    rows = []
    for name, title in REFERENCES.items():
        with_prior = [group for group in groups if group.run.method == "zero-shot"]
        for group in with_prior if name == "zero_shot_prior" else [fullest]:
            cells = {
                column.name: _cell(measured_reference(group.pairs[0], column.label, name, column.kind))
                for column in columns(number)
            }
            setting = setting_of(number, group) if name == "zero_shot_prior" else ""
            if any(cell.value is not None for cell in cells.values()):
                rows.append(TableRow("reference", ", ".join(filter(None, (title, setting))), cells))
    return rows


def _clips(group: Group) -> int:
    return sum(numbers.n_evaluated for metrics in group.known for numbers in metrics.labels.values())


def _cell(number: Measured | None) -> TableCell:
    return TableCell() if number is None else number.cell
