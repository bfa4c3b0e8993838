"""Read the numbers of the paper's Tables 1–7.

The paper is X-MIC (Kukleva et al., CVPR 2024).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from data_manifests.schema import Label
from pipelines.evaluate.metrics import harmonic_mean

Kind = Literal["within", "cross", "shared", "novel", "hm"]

ROUNDING = 0.0115
"""Most that rounding or cutting off two decimals can change a harmonic mean."""


@dataclass(frozen=True)
class PaperCell:
    """Number of one of the paper's tables.

    Attributes:
        table: 1 to 7.
        method: our name of the method.
        title: the paper's name of the row.
        setting: what the table varies, as ``name=value``: v2, streams, encoder, norms or prompt; '' where nothing is.
        source: the dataset that was trained on: 'ego4d' or 'epic'.
        label: 'noun' or 'verb'.
        kind: top-1 within or across, on the shared or the novel classes; or the harmonic mean of the two before it.
        target: the dataset that was evaluated on; of a harmonic mean the other one.
        value: percent, as printed.
        recomputed: the harmonic mean of the paper's own two numbers, where the printed one is wrong; else None.
    """

    table: int
    method: str
    title: str
    setting: str
    source: str
    label: Label
    kind: Kind
    target: str
    value: float
    recomputed: float | None = None


@cache
def paper_cells() -> tuple[PaperCell, ...]:
    """Return all numbers of Tables 1 to 7, row by row."""
    text = files("pipelines.report").joinpath("paper.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    parts: dict[tuple[str, ...], list[float]] = defaultdict(list)
    cells = []
    for row in rows:
        of = (row["table"], row["title"], row["setting"], row["source"], row["label"])
        value, recomputed = float(row["value"]), None
        if row["kind"] == "hm":
            mean = harmonic_mean(*parts[of])
            recomputed = mean if abs(mean - value) > ROUNDING else None
        else:
            parts[of].append(value)
        facts = {name: row[name] for name in ("method", "title", "setting", "source", "label", "kind", "target")}
        cells.append(PaperCell(int(row["table"]), **facts, value=value, recomputed=recomputed))  # type: ignore[arg-type]
    return tuple(cells)
