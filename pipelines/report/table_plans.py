"""Define the columns and the fitting runs of the paper's seven tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_manifests.schema import LABELS, Label
from pipelines.engine.workspace import Workspace
from pipelines.report.paper_match import dataset_named, encoder_named, v2_named
from pipelines.report.table_groups import Group

PLACES = ("within", "cross", "hm")
PARTS = ("shared", "novel", "shared-novel hm")
UNRESTRICTED = ("all shared", "all novel", "all shared-novel hm", "novel called shared")

HEADS: Mapping[str, str] = {
    "shared-novel hm": "hm",
    "all shared": "shared, all compete",
    "all novel": "novel, all compete",
    "all shared-novel hm": "hm, all compete",
}
"""Head of a column, where that is not its kind."""

NUMBERS = range(1, 8)

TITLES: Mapping[int, str] = {
    1: "within and across datasets",
    2: "shared and novel classes",
    3: "EGTEA",
    4: "conditioning streams",
    5: "encoders",
    6: "normalisations",
    7: "prompts",
}

_METHODS: Mapping[int, tuple[str, ...]] = {
    4: ("xmic",),
    5: ("xmic", "zero-shot"),
    6: ("xmic",),
    7: ("xmic", "zero-shot"),
}
"""Methods of the tables that vary one setting; the others have every method."""

NORMS = {"n1": True, "n2": False, "n3": False}
"""X-MIC's normalisations and whether they are on by default."""


@dataclass(frozen=True)
class Column:
    """Column of a table: a label and a kind of number.

    Kinds are those of :func:`pipelines.report.table_cells.measured`.
    """

    label: Label
    kind: str

    @property
    def name(self) -> str:
        """Name of the column: 'noun shared-novel hm'."""
        return f"{self.label} {self.kind}"

    @property
    def head(self) -> str:
        """Head of the column without its label: 'hm'."""
        return HEADS.get(self.kind, self.kind)


def columns(table: int) -> list[Column]:
    """Return the columns of a table in order."""
    kinds = (*PARTS, *UNRESTRICTED) if table == 2 else PLACES
    return [Column(label, kind) for label in LABELS for kind in kinds]


def compared_kinds(table: int) -> Sequence[str]:
    """Return the kinds of numbers in which a table's methods are compared.

    They are the kinds that the paper prints.
    """
    return PARTS if table == 2 else PLACES


def setting_of(table: int, group: Group) -> str:
    """Name the setting that a table varies, as the paper's rows do.

    For example 'norms=n1 n3'. Without a second encoder the setting of Tables 1 to 3 is ''.
    """
    said = group.protocol
    if table == 4:
        return f"streams={said.get('streams')}"
    if table == 5:
        return f"encoder={encoder_named(said)}"
    if table == 6:
        changed = group.run.changed_settings
        on = [name for name, default in NORMS.items() if changed.get(name, default)]
        return f"norms={' '.join(on) or 'none'}"
    if table == 7:
        return f"prompt={_prompt(group)}"
    return v2_named(said)


def fits(table: int, group: Group, workspace: Workspace) -> bool:
    """Return whether a group fits a table.

    It fits where only the setting that the table varies differs from the defaults. Recipes, presets, encoders and the
    classified stream may differ: the row names them.
    """
    run, said = group.run, group.protocol
    egtea = group.cross is not None and dataset_named(workspace, group.cross.dataset) == "egtea"
    if (table == 1 and egtea) or (table == 3 and not egtea) or (table != 1 and group.cross is None):
        return False
    if table == 2 and not any(numbers.parts for metrics in group.known for numbers in metrics.labels.values()):
        return False
    return all(
        (
            run.method in _METHODS.get(table, (run.method,)),
            set(run.changed_settings) <= (set(NORMS) if table == 6 else set()),
            table == 4 or said.get("streams") in (None, "both"),
            table < 4 or said.get("v2") is None,
            table == 7 or _prompt(group) == "{}",
        )
    )


def begun(table: int, groups: Sequence[Group]) -> bool:
    """Return whether a table has enough runs to show.

    One run is enough; a table that varies a setting needs two values of it.
    """
    return len({setting_of(table, group) for group in groups}) > 1 if table > 3 else bool(groups)


def _prompt(group: Group) -> str:
    return str(group.protocol.get("prompt", "{}"))
