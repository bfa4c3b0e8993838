"""Top-1 accuracies as bars: an SVG that follows the page's colours and can be read aloud."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.report.collect import Row

BAR, GAP, WIDTH, LABEL = 18, 6, 720, 330


@dataclass(frozen=True)
class Bar:
    """One bar: where it stands and what it says; lengths in SVG units."""

    y: int
    length: float
    name: str
    value: str
    kind: str


@dataclass(frozen=True)
class Figure:
    """All bars of one label, and the same in words."""

    title: str
    description: str
    bars: list[Bar]

    @property
    def height(self) -> int:
        """Height of the drawing."""
        return len(self.bars) * (BAR + GAP) + GAP


def bars_of(rows: list[Row], label: str) -> Figure:
    """The top-1 bars of a label: within and across, row by row."""
    bars: list[Bar] = []
    words = []
    seen = set()
    for row in rows:
        for kind, place in (("within", row.within), ("cross", row.cross)):
            cell = row.cells[f"{label} {kind}"]
            if cell.value is None or (row.run, place) in seen:
                continue
            seen.add((row.run, place))
            length = (WIDTH - LABEL - 70) * cell.value / 100
            bars.append(Bar(GAP + len(bars) * (BAR + GAP), length, f"{row.method} → {place}", f"{cell.text} %", kind))
            words.append(f"{row.run} on {place} ({kind}): {cell.text} %")
    return Figure(f"{label} top-1 accuracy", "; ".join(words) or "nothing evaluated", bars)
