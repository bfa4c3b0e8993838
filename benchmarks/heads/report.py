"""Tables and tests of the second experiment as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.command import table_section
from benchmarks.heads.cells import CELLS, FAMILIES, OF, RULE, SECTIONS, Family
from benchmarks.pocket.cells import SOURCES
from benchmarks.pocket.numbers import COLUMNS, MEANING, Value, difference, draws, in_cell, value
from benchmarks.pocket.report import clip_counts, entries, measured, missing_lines, nuisance_table
from benchmarks.result_file import Results
from data_manifests.schema import LABELS
from pipelines.evaluate.compare import holm, p_value

SIGNIFICANT = 0.05


def report(results: Results, seeds: Sequence[int]) -> str:
    """Write the whole file.

    Args:
        results: where they are.
        seeds: those of the experiment.

    Raises:
        InputError: results of another hash or size.
    """
    there = measured(results, seeds, CELLS)
    lines = [
        "# Heads of X-MIC: the second experiment",
        "",
        f"Written by `python -m benchmarks.heads WORK --report FILE`. Size {results.made['size']}, seeds "
        f"{', '.join(map(str, seeds))}; frozen as `{results.made['frozen'][:12]}`. `benchmarks/pocket-frozen-2.json` "
        "holds cells, questions, tests and the rule for the default preset.",
        "",
        f"{MEANING} *within*: the test clips of the dataset that was trained on; *cross*: those of the other one, "
        "where all of its classes compete; *hm*: harmonic mean of both; *shared* and *novel*: the cross clips whose "
        "class name the source has, and has not. A difference draws the same recordings for both sides; p is "
        "corrected within its table (Holm). All rows classify hand crops of the true boxes, unless a table says "
        "otherwise, and are trained on segment centres.",
        "",
        *missing_lines(results, seeds, CELLS),
    ]
    for family in FAMILIES:
        lines += family_table(there, seeds, family)
    lines += ["## The rule for the default", "", RULE, ""]
    for section in SECTIONS:
        for label in LABELS:
            lines += _section(there, seeds, section, label)
    for label in LABELS:
        lines += _norms(there, seeds, label)
    return "\n".join([*lines, *nuisance_table(results, seeds)]) + "\n"


def corrected_family(there: Any, seeds: Sequence[int], family: Family) -> list[tuple[tuple[str, ...], Value, float]]:
    """Test the comparisons of a family.

    Returns:
        Of each one that has results: (label, source, cell, other cell, column), the difference in points, and its p
        value after Holm's correction.
    """
    found: list[tuple[tuple[str, ...], Value]] = []
    raw: list[float] = []
    for label in LABELS:
        for source in SOURCES:
            for one, other in family.pairs if label in family.labels else ():
                mine, theirs = (entries(there, seeds, OF[name], source, label) for name in (one, other))
                for column in family.columns:
                    gained = difference(mine, theirs, column)
                    if gained is None:
                        continue
                    both = [seed for seed in mine if seed in theirs]
                    pair = [{seed: row[seed] for seed in both} for row in (mine, theirs)]
                    found.append(((label, source, one, other, column), gained))
                    raw.append(p_value(draws(pair[0], column) - draws(pair[1], column)))
    return [(key, gained, p) for (key, gained), p in zip(found, holm(raw), strict=True)]


def family_table(there: Any, seeds: Sequence[int], family: Family) -> list[str]:
    """Write the table of a family of comparisons."""
    rows = [
        [label, source, f"{OF[one].title} − {OF[other].title}", column, in_cell(gained), _p(p)]
        for (label, source, one, other, column), gained, p in corrected_family(there, seeds, family)
    ]
    kind = "declared" if family.primary else "looked at, no hypothesis"
    columns = ("", "trained on", "difference", "on", "points", "p")
    return table_section(f"{family.name}. {family.question} ({kind})", columns, rows)


def _p(p: float) -> str:
    return f"**{p:.4f}**" if p < SIGNIFICANT else f"{p:.2f}"


def _section(there: Any, seeds: Sequence[int], section: str, label: str) -> list[str]:
    rows = []
    for source in SOURCES:
        for cell in CELLS:
            if cell.section != section or label not in cell.labels:
                continue
            found = entries(there, seeds, cell, source, label)  # type: ignore[arg-type]
            if found:
                numbers = [value(found, column) for column in COLUMNS]
                rows.append([source, cell.title, *map(in_cell, numbers), clip_counts(found)])
    return table_section(f"{section}: {label}s", ("trained on", "", *COLUMNS, "clips"), rows)


def _norms(there: Any, seeds: Sequence[int], label: str) -> list[str]:
    rows = []
    for source in SOURCES:
        for cell in CELLS:
            found = entries(there, seeds, cell, source, label).values()  # type: ignore[arg-type]
            if found and all("vector_norm" in entry.get("statistics", {}) for entry in found):
                means = {
                    name: np.mean([entry["statistics"].get(name, np.nan) for entry in found])
                    for name in ("vector_norm", "text_norm", "video_norm", "scale", "logit_scale")
                }
                shown = ["–" if np.isnan(mean) else f"{mean:.3g}" for mean in means.values()]
                rows.append([source, cell.title, *shown])
    text = "Means over the test clips of the source and over seeds, as they are summed."
    return table_section(f"Norms: {label}s", ("trained on", "", "‖a_v‖", "‖e_t‖", "‖e_v‖", "s", "τ"), rows, text)
