"""Lay out top-1 accuracies as dots with whiskers, one row per method.

A row has two lanes: the run's own dataset above, the other dataset below. Places are in percent of the drawing's width
and heights in pixels, so that the drawing fits any screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data_manifests.schema import LABELS, Label
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import DatasetSplit
from pipelines.methods import METHODS
from pipelines.report.axis import axis_end
from pipelines.report.collect import Collected, apart_notes, method_name, method_notes
from pipelines.report.paper_match import PaperRows, comparable, real_place, v2_named
from pipelines.report.table_cells import TableCell, measured, measured_reference
from pipelines.report.table_groups import Group, by_direction, groups_of
from pipelines.report.table_plans import setting_of

_Found = Sequence[tuple[str, TableCell]]
"""The numbers of a row: (place, cell)."""

PLACES = ("within", "cross")
ROW = 42
"""Height of a row in pixels."""
LANES = {"within": 13, "cross": 29}
"""Height of each lane in its row."""
_LEFT, _RIGHT = 1.5, 98.0
_NAMED = ("encoder", "v2", "streams", "classify", "prompt", "names")
"""Settings that a row's notes name by themselves."""
_REFERENCES = (("chance", "chance"), ("source_majority", "majority"))


@dataclass(frozen=True)
class Dot:
    """Dot of one accuracy, with whiskers.

    Attributes:
        place: 'within' or 'cross'.
        y: of its lane.
        x: of the accuracy.
        low: x of the interval's ends.
        high: see ``low``.
        text: the accuracy.
        words: accuracy, interval and clips in words.
        few: fewer than 30 recordings or 100 clips: drawn in grey.
        paper: x of the paper's number; None where it may not be compared.
    """

    place: str
    y: int
    x: float
    low: float
    high: float
    text: str
    words: str
    few: bool
    paper: float | None


@dataclass(frozen=True)
class PlotRow:
    """Row of a method: its dots, and the texts beside them."""

    name: str
    notes: str
    marks: str
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Dash:
    """Dashed line of a reference in the lane of one target."""

    kind: str
    place: str
    x: float


@dataclass(frozen=True)
class PlotPanel:
    """Rows of one label over one axis.

    ``ticks`` are (x, text), ``references`` the dashed lines in words.
    """

    label: Label
    rows: Sequence[PlotRow]
    dashes: Sequence[Dash]
    references: Sequence[str]
    ticks: Sequence[tuple[float, str]]
    description: str


@dataclass(frozen=True)
class Plot:
    """Panels of one direction, a source with its targets.

    ``notes`` hold for all rows that are trained, so that no row repeats them.
    """

    source: str
    within: DatasetSplit | None
    cross: DatasetSplit | None
    clip_lists: Sequence[str]
    notes: Sequence[str]
    panels: Sequence[PlotPanel]

    @property
    def title(self) -> str:
        """Title of the plot: 'trained on ego4d'."""
        lists = f", over the clips of {', '.join(sha[:8] for sha in self.clip_lists)}" if self.clip_lists else ""
        return f"trained on {self.source}{lists}"

    @property
    def paper(self) -> bool:
        """Whether a number of the paper is drawn."""
        return any(dot.paper is not None for panel in self.panels for row in panel.rows for dot in row.dots)


def dot_plots(found: Collected, workspace: Workspace) -> list[Plot]:
    """Lay out plots per direction with one row per setting.

    A plot has a panel per label. Controls are left out, and so are rows and panels without a number. A row with numbers
    of one label only is empty in the panel of the other, so that the rows of both are side by side.
    """
    plots = []
    for groups in by_direction(groups_of(found)):
        measured_cells = [
            (group, {label: _cells(label, group, workspace) for label in LABELS})
            for group in sorted(groups, key=_order)
        ]
        there = [(group, cells) for group, cells in measured_cells if any(cells.values())]
        members = [group for group, _ in there]
        notes = _shared_notes(members)
        titles = _titles(members, notes)
        panels = [
            _panel(label, members, titles, [cells[label] for _, cells in there])
            for label in LABELS
            if any(cells[label] for _, cells in there)
        ]
        if panels:
            within, cross = (next(filter(None, (getattr(group, place) for group in members)), None) for place in PLACES)
            lists = sorted({sha for group in members for sha in group.clip_lists if sha})
            plots.append(Plot(members[0].first.trained_on.dataset, within, cross, lists, notes, panels))
    return plots


def _order(group: Group) -> tuple[int, str, str]:
    names = list(METHODS)
    method = group.run.method
    return names.index(method) if method in names else len(names), method_name(group.run), group.run.name


def _shared_notes(groups: Sequence[Group]) -> list[str]:
    """Find the notes that all trained rows have, where there are two of them at least."""
    trained = [list(_notes(group)) for group in groups if group.run.recipe is not None]
    return [note for note in trained[0] if all(note in notes for notes in trained)] if len(trained) > 1 else []


def _titles(groups: Sequence[Group], shared: Sequence[str]) -> list[tuple[str, str]]:
    """Make (name, notes) of each row.

    Rows that would read the same get what tells their runs apart, or else the end of the run's name.
    """
    encoders = len({group.protocol.get("encoder") for group in groups}) > 1
    titles = []
    for group in groups:
        notes = [note for note in _notes(group) if note not in shared]
        notes += [f"encoder {group.protocol.get('encoder')}"] if encoders else []
        titles.append((method_name(group.run), "; ".join(notes)))
    apart = ["; ".join(apart_notes(group.first, _NAMED)) for group in groups]
    return _distinct(_distinct(titles, apart), [group.run.name[-8:] for group in groups])


def _distinct(titles: Sequence[tuple[str, str]], more: Sequence[str]) -> list[tuple[str, str]]:
    """Add a note to each of the titles that are the same."""
    times = Counter(titles)
    return [
        (name, "; ".join(filter(None, (notes, note)))) if times[name, notes] > 1 else (name, notes)
        for (name, notes), note in zip(titles, more, strict=True)
    ]


def _notes(group: Group) -> Iterator[str]:
    said = group.protocol
    yield from method_notes(group.run, group.notes)
    if said.get("streams") not in (None, "both"):
        yield f"streams={said['streams']}"
    if v2_named(said):
        yield v2_named(said)
    if said.get("prompt", "{}") != "{}":
        yield f"prompt={said['prompt']}"
    if len(group.seeds) > 1:
        yield f"{len(group.seeds)} seeds"


def _panel(
    label: Label, groups: Sequence[Group], titles: Sequence[tuple[str, str]], cells: Sequence[_Found]
) -> PlotPanel:
    references = list(_references(label, max(groups, key=_clips)))
    limit = axis_end(min(100.0, max(_ends(cells, references))))
    rows, words = [], []
    for (name, notes), group, own in zip(titles, groups, cells, strict=True):
        dots = [_dot(place, cell, limit) for place, cell in own]
        rows.append(PlotRow(name, notes, group.marks, dots))
        words += [f"{name}{f' ({notes})' if notes else ''}, {dot.words}" for dot in dots]
    dashes = [Dash(kind, place, _x(value, limit)) for kind, place, value in references]
    said = list(_said(references))
    ticks = [(_x(limit * share, limit), f"{limit * share:g}") for share in (0, 0.5, 1)]
    return PlotPanel(label, rows, dashes, said, ticks, "; ".join([*words, *said]))


def _clips(group: Group) -> int:
    return sum(numbers.n_evaluated for metrics in group.known for numbers in metrics.labels.values())


def _cells(label: Label, group: Group, workspace: Workspace) -> _Found:
    """Measure the accuracies of a row that there are, with the paper's beside them."""
    paper = _paper(group, workspace)
    found = []
    for place in PLACES:
        number = measured(group.pairs, label, place)
        if number is not None:
            cell = number.cell
            if paper is not None and not cell.partial:
                table, rows = paper
                printed = rows.number(group.run.method, setting_of(table, group), label, place)
                cell = TableCell(**{**vars(cell), "paper": printed})
            found.append((place, cell))
    return found


def _paper(group: Group, workspace: Workspace) -> tuple[int, PaperRows] | None:
    """Return the table of the paper that has this direction, with its numbers."""
    own, other = (real_place(workspace, metrics) for metrics in group.pairs[0])
    table = 3 if other == "egtea" else 1
    plain = group.protocol.get("prompt", "{}") == "{}" and group.protocol.get("streams") in (None, "both")
    if not plain or group.run.changed_settings or not comparable(group, table):
        return None
    return table, PaperRows(table, own, other)


def _references(label: Label, group: Group) -> Iterator[tuple[str, str, float]]:
    for name, kind in _REFERENCES:
        for place in PLACES:
            number = measured_reference(group.pairs[0], label, name, place)
            if number is not None and number.cell.value is not None:
                yield kind, place, number.cell.value


def _said(references: Sequence[tuple[str, str, float]]) -> Iterator[str]:
    for kind in dict.fromkeys(kind for kind, _, _ in references):
        values = {place: f"{value:.1f}" for found, place, value in references if found == kind}
        if len(set(values.values())) == 1:
            yield f"{kind} {next(iter(values.values()))}"
        else:
            yield f"{kind} " + ", ".join(f"{value} {place}" for place, value in values.items())


def _ends(cells: Sequence[_Found], references: Sequence[tuple[str, str, float]]) -> list[float]:
    ends = [value for _, _, value in references]
    for own in cells:
        for _, cell in own:
            ends += [cell.value or 0.0, *(cell.interval or ())]
            ends += [cell.paper.value] if cell.paper else []
    return ends


def _dot(place: str, cell: TableCell, limit: float) -> Dot:
    value = cell.value or 0.0
    low, high = cell.interval or (value, value)
    interval = f", 95 % interval {cell.between}" if cell.interval else ""
    clips = f"{cell.evaluated:,}" + (f" of {cell.official:,}" if cell.partial else "")
    paper = f", paper {cell.paper_text}" if cell.paper else ""
    return Dot(
        place,
        LANES[place],
        _x(value, limit),
        _x(low, limit),
        _x(high, limit),
        f"{value:.1f}" + "*" * cell.partial,
        f"{place} {value:.1f} %{interval}, {clips} clips{', few' if cell.few else ''}{paper}",
        cell.few,
        None if cell.paper is None else _x(cell.paper.value, limit),
    )


def _x(value: float, limit: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * min(value, limit) / limit
