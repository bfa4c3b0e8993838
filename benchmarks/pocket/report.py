"""The tables of the experiment as Markdown, from the results that are there; what is missing is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.command import table_section
from benchmarks.pocket.cells import (
    CELLS,
    COMPARED,
    DEFAULT_AS,
    LATER,
    LATER_CELLS,
    LATER_COMPARED,
    OF,
    SECTIONS,
    SOURCES,
    TABLE6,
    Cell,
)
from benchmarks.pocket.numbers import COLUMNS, MEANING, Entry, difference, in_cell, value
from benchmarks.pocket.run import NUISANCES, missing
from benchmarks.result_file import Results, result_name, seed_name
from data_manifests.errors import InputError
from data_manifests.schema import LABELS, Label

_ALL = (*CELLS, *LATER_CELLS)


def report(results: Results, seeds: Sequence[int]) -> str:
    """The whole file.

    Args:
        results: where they are.
        seeds: those of the experiment.

    Raises:
        InputError: results of another hash or size, or boxes of several hand models.
    """
    there = measured(results, seeds, _ALL)
    lines = [*_head(results, seeds), *missing_lines(results, seeds, _ALL)]
    lines += nuisance_table(results, seeds)
    for label in LABELS:
        lines += _compared(there, seeds, label, f"Differences in points: {label}s", COMPARED)
    for section in SECTIONS:
        for label in LABELS:
            lines += _section(there, seeds, section, label)
    for label in LABELS:
        lines += _norms(there, seeds, label)
    return "\n".join([*lines, *_later(there, seeds)]) + "\n"


def measured(results: Results, seeds: Sequence[int], cells: Sequence[Cell]) -> dict[tuple[int, str, str], Any]:
    """Read the results that are there: (seed, cell's name, source) → label → numbers.

    Raises:
        InputError: a result of another hash or size.
    """
    return {
        (seed, cell.name, source): found["labels"]
        for seed in seeds
        for cell in cells
        for source in SOURCES
        if (found := results.read(result_name(seed, source, cell.name))) is not None
    }


def _head(results: Results, seeds: Sequence[int]) -> list[str]:
    return [
        "# Pocket Kitchens: the experiment",
        "",
        f"Written by `python -m benchmarks.pocket WORK --report FILE`. Size {results.made['size']}, seeds "
        f"{', '.join(map(str, seeds))}; frozen as `{results.made['frozen'][:12]}`.",
        "",
        f"{MEANING} *within*: the test clips of the dataset that was trained on; *cross*: those of the other one, "
        "where all of its classes compete; *hm*: harmonic mean of both; *shared* and *novel*: the cross clips whose "
        "class name the source has, and has not. The interval of a difference draws the same recordings for both "
        "sides.",
        "",
    ]


def missing_lines(results: Results, seeds: Sequence[int], cells: Sequence[Cell]) -> list[str]:
    """List the cells without a result, by seed."""
    absent = [(seed, missing(results, seed, cells)) for seed in seeds]
    if not any(found for _, found in absent):
        return []
    lines = ["## Missing", ""]
    for seed, found in absent:
        names = [f"{cell.name} ({source})" for cell, source in found]
        if len(names) == len(cells) * len(SOURCES):
            names = ["everything"]
        lines += [f"- seed {seed}: {', '.join(names)}"] if names else []
    return [*lines, ""]


def nuisance_table(results: Results, seeds: Sequence[int]) -> list[str]:
    """Write what could give the answer away in each world."""
    rows = []
    for seed in seeds:
        domains = (results.read(f"{seed_name(seed)}/{NUISANCES}") or {"domains": {}})["domains"]
        for domain, facts in ((name, domains[name]) for name in SOURCES if name in domains):
            shares = [f"{facts[n]:.1f}" for n in ("noun_predicts_verb", "no_hand", "unseen_pairs", "unseen_clips")]
            counts = [
                f"{len(of)}: {min(of.values())}–{max(of.values())}"
                for of in (facts["classes"][split][label] for split in ("train", "test") for label in LABELS)
            ]
            rows.append([str(seed), domain, *shares, *counts])
    columns = ["seed", "domain", "noun alone gives the verb, %", "frames without a hand, %"]
    columns += ["test pairs only in test, %", "test clips of these, %"]
    columns += [f"{split} {label}s: clips a class" for split in ("train", "test") for label in LABELS]
    return table_section("Worlds", columns, rows)


def _section(there: Any, seeds: Sequence[int], section: str, label: Label) -> list[str]:
    cells = [cell for cell in _ALL if cell.section == section and label in cell.labels]
    titles = {cell.name: cell.title for cell in cells}
    if section in DEFAULT_AS:
        cells, titles = [OF["xmic"], *cells], {**titles, "xmic": DEFAULT_AS[section]}
    rows = []
    for source in SOURCES:
        for cell in cells:
            found = entries(there, seeds, cell, source, label)
            if found:
                numbers = [value(found, column) for column in COLUMNS]
                rows.append([source, titles[cell.name], *map(in_cell, numbers), clip_counts(found)])
    return table_section(f"{section}: {label}s", ("trained on", "", *COLUMNS, "clips"), rows)


def entries(there: Any, seeds: Sequence[int], cell: Cell, source: str, label: Label) -> dict[int, Entry]:
    """Of the seeds that have the cell."""
    keys = {seed: (seed, cell.name, source) for seed in seeds}
    return {seed: there[key][label] for seed, key in keys.items() if key in there and label in there[key]}


def clip_counts(found: dict[int, Entry]) -> str:
    """Count the clips of a row."""
    totals = [sum(entry[part]["clips"] for entry in found.values()) for part in ("within", "cross", "shared", "novel")]
    return f"{totals[0]}; {totals[1]} = {totals[2]} + {totals[3]}"


def _later(there: Any, seeds: Sequence[int]) -> list[str]:
    """What was added after the freeze, apart from the rest."""
    names = {cell.name for cell in LATER_CELLS}
    models = sorted({entry["detector"] for (_, name, _), of in there.items() if name in names for entry in of.values()})
    if not models:
        return []
    if len(models) > 1:
        raise InputError(f"boxes of several hand models: {', '.join(models)}. Remove the results of all but one.")
    lines = [f"## {LATER}", "", f"Hand stream `{models[0]}`, in training and test.", ""]
    for label in LABELS:
        lines += _section(there, seeds, LATER, label)
        lines += _compared(
            there, seeds, label, f"Differences to true, random and detected boxes: {label}s", LATER_COMPARED
        )
    return lines


def _compared(
    there: Any, seeds: Sequence[int], label: Label, title: str, compared: Sequence[tuple[str, str, str]]
) -> list[str]:
    rows = []
    for source in SOURCES:
        for what, one, other in compared:
            mine, theirs = (entries(there, seeds, OF[name], source, label) for name in (one, other))
            numbers = [difference(mine, theirs, column) for column in COLUMNS]
            if any(numbers):
                rows.append([source, what, *map(in_cell, numbers)])
    return table_section(title, ("trained on", "", *COLUMNS), rows)


def _norms(there: Any, seeds: Sequence[int], label: Label) -> list[str]:
    cells = [OF["xmic"], *(cell for cell in CELLS if cell.section == TABLE6)]
    names = ("vector_norm", "text_norm", "scale", "logit_scale")
    rows = []
    for source in SOURCES:
        for cell in cells:
            found = entries(there, seeds, cell, source, label).values()
            if found:
                means = [np.mean([entry["statistics"][name] for entry in found]) for name in names]
                title = DEFAULT_AS[TABLE6] if cell.name == "xmic" else cell.title
                rows.append([source, title, *(f"{mean:.3g}" for mean in means)])
    text = "Means over the test clips of the source and over seeds, as they are summed: after n2 and n3."
    return table_section(f"Norms: {label}s", ("trained on", "", "‖a_v‖", "‖e_t‖", "s", "τ"), rows, text)
