"""Count the classes and the lengths of clips per split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_manifests.schema import Label
from pipelines.look.split_facts import SplitFacts

SHOWN = 20
"""Classes that are shown at once; the others are folded."""
_EDGES = (0.0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120, 300)


@dataclass(frozen=True)
class ClassBar:
    """One class, with its clips in each split.

    Attributes:
        name: of the class.
        counts: split → number of clips.
        lengths: split → share of the split's clips, in percent of the largest share of any class.
    """

    name: str
    counts: Mapping[str, int]
    lengths: Mapping[str, float]


@dataclass(frozen=True)
class ClassBars:
    """The classes of one label that have clips.

    Attributes:
        label: noun or verb.
        total: number of classes in the list, with and without clips.
        bars: classes with clips, most frequent first.
        only: (split with the class, split without it, names of the classes).
    """

    label: Label
    total: int
    bars: Sequence[ClassBar]
    only: Sequence[tuple[str, str, Sequence[str]]]


def class_bars(label: Label, names: Sequence[str], facts: Sequence[SplitFacts]) -> ClassBars:
    """Count the clips of each class in each split.

    Classes are sorted by their clips in the first split, then in the next ones.
    """
    counts = {item.split: item.counts(label) for item in facts}
    totals = {split: max(1, sum(of.values())) for split, of in counts.items()}
    there = sorted(
        {number for of in counts.values() for number in of},
        key=lambda number: (*(-of[number] for of in counts.values()), number),
    )
    most = max((of[number] / totals[split] for split, of in counts.items() for number in of), default=1.0)
    bars = [
        ClassBar(
            names[number],
            {split: of[number] for split, of in counts.items()},
            {split: 100 * of[number] / totals[split] / most for split, of in counts.items()},
        )
        for number in there
    ]
    only = []
    if "train" in counts:
        for other in counts:
            for here, gone in (("train", other), (other, "train")):
                lacking = [names[number] for number in there if counts[here][number] and not counts[gone][number]]
                if other != "train" and lacking:
                    only.append((here, gone, lacking))
    return ClassBars(label, len(names), bars, only)


@dataclass(frozen=True)
class LengthBin:
    """Clips between two lengths.

    Attributes:
        words: the two lengths, e.g. '1–2 s'.
        counts: split → number of clips.
        heights: split → share of the split's clips, in percent of the largest bin of any split.
    """

    words: str
    counts: Mapping[str, int]
    heights: Mapping[str, float]


def length_bins(facts: Sequence[SplitFacts]) -> list[LengthBin]:
    """Sort clips by their length into bins.

    Bins grow with the length. Empty bins at both ends are left out.
    """
    edges = [*_EDGES, np.inf]
    counts = {
        item.split: np.histogram(item.seconds[~np.isnan(item.seconds)], bins=edges)[0]
        for item in facts
        if not np.isnan(item.seconds).all()
    }
    if not counts:
        return []
    shares = {split: of / max(1, of.sum()) for split, of in counts.items()}
    most = max(float(of.max()) for of in shares.values()) or 1.0
    used = np.flatnonzero(sum(counts.values()))
    return [
        LengthBin(
            f"{edges[place]:g}–{edges[place + 1]:g} s" if edges[place + 1] < np.inf else f"over {edges[place]:g} s",
            {split: int(of[place]) for split, of in counts.items()},
            {split: 100 * float(of[place]) / most for split, of in shares.items()},
        )
        for place in range(used[0], used[-1] + 1)
    ]
