"""The tables as Markdown, from the results that are there; what is missing is said with its command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.command import table_section
from benchmarks.methods.cells import MethodCell, in_words
from benchmarks.methods.run import missing
from benchmarks.pocket.cells import OTHER, SOURCES
from benchmarks.pocket.counts import Part, drawn_by_seed, harmonics_drawn
from benchmarks.pocket.numbers import MEANING, Value, harmonic_of, in_cell, over_seeds, value
from benchmarks.result_file import Results, result_name
from data_manifests.schema import LABELS, Label

Found = Mapping[tuple[str, str], Mapping[int, dict[str, Any]]]
"""(cell, source) → seed → result."""


def report(results: Results, seeds: Sequence[int], cells: Sequence[MethodCell]) -> str:
    """The whole file.

    Args:
        results: where they are.
        seeds: those of the experiment.
        cells: those it is of.
    """
    found = {
        (cell.name, source): {
            seed: result for seed in seeds if (result := results.read(result_name(seed, source, cell.name))) is not None
        }
        for cell in cells
        for source in SOURCES
    }
    lines = [*_head(results, seeds, found), *_missing(results, seeds, cells)]
    for source in SOURCES:
        lines += _within_and_cross(found, cells, source)
    for source in SOURCES:
        lines += _shared_and_novel(found, cells, source)
    return "\n".join([*lines, *_costs(found, cells), *_rates(found, cells, seeds)]) + "\n"


def _head(results: Results, seeds: Sequence[int], found: Found) -> list[str]:
    every = [result for of_seeds in found.values() for result in of_seeds.values()]
    batches = sorted({result["terms"]["batch"] for result in every if result["terms"]})
    libraries = [result["cost"]["libraries_mb"] for result in every if "cost" in result]
    threads = sorted({result["workers"] for result in every})
    text = [
        "# Pocket Kitchens: every method, by both recipes",
        "",
        f"Written by `python -m benchmarks.methods WORK --report FILE`. Size {results.made['size']}, seeds "
        f"{', '.join(map(str, seeds))}; world and encoder frozen as `{results.made['frozen'][:12]}`.",
        "",
        f"{MEANING} All methods classify the hand crops of the true boxes; those that are conditioned on the video get "
        "both streams. *published*: the method's own optimiser, learning rate and schedule; *matched*: the best of "
        "five learning rates, the same for all methods, on held-out recordings. What was cut is said in the row.",
        "",
    ]
    if batches:
        whose = "of every method" if len(batches) == 1 else "each method's own"
        text += [f"Clips a step, {whose}: {', '.join(map(str, batches))}.", ""]
    if libraries:
        text += [
            "Each run was trained and evaluated in a process of its own. Peak memory is that of the process, libraries "
            f"and mapped files with it: before it read anything it had {min(libraries):.0f}–{max(libraries):.0f} MB. "
            f"Threads: {', '.join(map(str, threads))}. Times are wall times.",
            "",
        ]
    return text


def _missing(results: Results, seeds: Sequence[int], cells: Sequence[MethodCell]) -> list[str]:
    absent: dict[MethodCell, list[tuple[int, str]]] = {}
    for seed, cell, source in missing(results, seeds, cells):
        absent.setdefault(cell, []).append((seed, source))
    rows = []
    for cell, places in absent.items():
        runs = [f"{seed} {source}" for seed, source in places]
        said = "everything" if len(runs) == len(seeds) * len(SOURCES) else ", ".join(runs)
        of_seeds = " ".join(str(seed) for seed in sorted({seed for seed, _ in places}))
        recipe = f" --recipes {cell.recipe}" if cell.recipe else ""
        command = f"python -m benchmarks.methods WORK --size {results.made['size']} --seeds {of_seeds}"
        rows.append([cell.title, cell.recipe or "–", said, f"`{command} --methods {cell.method}{recipe}`"])
    return table_section("Missing", ("method", "recipe", "seed and source", "command"), rows)


def _within_and_cross(found: Found, cells: Sequence[MethodCell], source: str) -> list[str]:
    rows = []
    for cell, of_seeds in _rows(found, cells, source):
        numbers = [value(_entries(of_seeds, label), kind) for label in LABELS for kind in ("within", "cross", "hm")]
        seconds = _known(of_seeds, "training_seconds")
        peaks = _known(of_seeds, "peak_mb")
        minutes = f"{np.mean(seconds) / 60:.1f}" if seconds else "–"
        peak = f"{max(peaks):.0f}" if peaks else "–"
        rows.append([*_names(cell), *map(in_cell, numbers), minutes, peak, _remarks(of_seeds)])
    columns = ["method", "recipe", *(f"{label} {kind}" for label in LABELS for kind in (source, OTHER[source], "hm"))]
    columns += ["training, min", "peak, MB", ""]
    return table_section(f"Trained on {source}: within and across datasets (Table 1)", columns, rows)


def _shared_and_novel(found: Found, cells: Sequence[MethodCell], source: str) -> list[str]:
    lines: list[str] = []
    for restricted, what in (
        (True, "only the classes of the part compete (Table 2)"),
        (False, "all classes compete"),
    ):
        rows = []
        for cell, of_seeds in _rows(found, cells, source):
            numbers = []
            for label in LABELS:
                parts = {s: e["restricted"] if restricted else e for s, e in _entries(of_seeds, label).items()}
                numbers += [value(parts, "shared"), value(parts, "novel"), shared_novel_hm(parts)]
            rows.append([*_names(cell), *map(in_cell, numbers), _remarks(of_seeds)])
        columns = ["method", "recipe", *(f"{label} {kind}" for label in LABELS for kind in ("shared", "novel", "hm"))]
        title = f"Trained on {source}, evaluated on {OTHER[source]}: shared and novel classes, {what}"
        lines += table_section(title, [*columns, ""], rows)
    return lines


def _rows(
    found: Found, cells: Sequence[MethodCell], source: str
) -> list[tuple[MethodCell, Mapping[int, dict[str, Any]]]]:
    return [(cell, of_seeds) for cell in cells if (of_seeds := found[cell.name, source])]


def _names(cell: MethodCell) -> list[str]:
    return [cell.title, cell.recipe or "–"]


def _entries(of_seeds: Mapping[int, dict[str, Any]], label: Label) -> dict[int, dict[str, Any]]:
    return {seed: result["labels"][label] for seed, result in of_seeds.items() if "labels" in result}


def _remarks(of_seeds: Mapping[int, dict[str, Any]]) -> str:
    """What was cut, and what did not go as planned."""
    said = sorted({words for result in of_seeds.values() if (words := in_words(result["terms"]))})
    said += [f"seed {seed}: diverged" for seed, result in of_seeds.items() if "diverged" in result]
    said.append(f"{len(of_seeds)} seed" + "s" * (len(of_seeds) != 1))
    return "; ".join(said)


def _known(of_seeds: Mapping[int, dict[str, Any]], name: str) -> list[float]:
    """A cost of those seeds of which it is known."""
    return [cost[name] for result in of_seeds.values() if (cost := result.get("cost")) and cost[name] is not None]


def shared_novel_hm(parts: Mapping[int, Mapping[str, Part]]) -> Value | None:
    """The harmonic mean of the accuracy on shared and on novel classes, whose clips are of the same recordings: an
    interval draws these once for both.

    Args:
        parts: seed → 'shared' and 'novel'.
    """
    means = [mean for one in parts.values() if (mean := harmonic_of(one["shared"], one["novel"])) is not None]
    if not means:
        return None
    names = ("shared", "novel")
    recordings = sorted({(seed, of) for seed, one in parts.items() for name in names for of in one[name]["recordings"]})
    drawn = [drawn_by_seed({seed: one[name] for seed, one in parts.items()}, recordings, 1) for name in names]
    return over_seeds(means, harmonics_drawn(*drawn))


def _costs(found: Found, cells: Sequence[MethodCell]) -> list[str]:
    rows = []
    for cell in cells:
        runs = [result for source in SOURCES for result in found[cell.name, source].values() if "cost" in result]
        if not runs:
            continue
        costs = [result["cost"] for result in runs]
        trained = sorted({head.get("parameters", 0) for result in runs for head in result["heads"].values()})
        seconds, steps, scored = (
            [cost[name] for cost in costs if cost[name] is not None]
            for name in ("training_seconds", "seconds_per_step", "evaluation_seconds")
        )
        clips = sum(cost["evaluation_clips"] for cost in costs if cost["evaluation_seconds"] is not None)
        cuda = [cost["cuda_mb"] for cost in costs if "cuda_mb" in cost]
        rows.append([
            *_names(cell),
            "–".join(f"{count:,}" for count in (trained if len(trained) < 2 else (trained[0], trained[-1]))),
            _over(seconds, "{:.0f}") if cell.recipe else "–",
            _over(steps, "{:.3g}"),
            f"{clips / sum(scored):.1f}" if scored else "–",
            f"{max(cost['peak_mb'] for cost in costs):.0f}",
            f"{max(cuda):.0f}" if cuda else "–",
            _sittings(costs),
        ])  # fmt: skip
    text = (
        "Over seeds and sources. A run trains a noun and a verb head and scores the test clips of both datasets; *s a "
        "step* lies between two steps, with what is scored between epochs; *clips a second* is the whole evaluation of "
        "both heads. Memory is the most that any run took."
    )
    columns = ("method", "recipe", "parameters a head", "training a run, s", "s a step", "clips a second")
    return table_section("Cost", (*columns, "peak, MB", "CUDA tensors, MB", "runs"), rows, text)


def _over(values: Sequence[float], form: str) -> str:
    if not values:
        return "–"
    spread = f" ± {form.format(np.std(values, ddof=1))}" if len(values) > 1 else ""
    return form.format(np.mean(values)) + spread


def _sittings(costs: Sequence[Mapping[str, Any]]) -> str:
    """How many runs, and of how many the time is a sum or is not known."""
    said = [str(len(costs))]
    summed = sum(cost["training_seconds"] is not None and cost["sittings"] > 1 for cost in costs)
    unknown = sum(cost["training_seconds"] is None for cost in costs)
    unscored = sum(cost["evaluation_seconds"] is None for cost in costs)
    said += [f"{summed} interrupted, times summed"] if summed else []
    said += [f"{unknown} killed, training time not known"] if unknown else []
    said += [f"{unscored} interrupted, evaluation time not known"] if unscored else []
    return "; ".join(said)


def _rates(found: Found, cells: Sequence[MethodCell], seeds: Sequence[int]) -> list[str]:
    """Which learning rate the matched recipe chose."""
    rows = []
    for cell in cells:
        for source in SOURCES if cell.recipe == "matched" else ():
            of_seeds = found[cell.name, source]
            for label in LABELS if of_seeds else ():
                rows.append([cell.title, source, label, *(_rate(of_seeds.get(seed), label) for seed in seeds)])
    columns = ("method", "trained on", "", *(f"seed {seed}" for seed in seeds))
    return table_section("Learning rates that matched chose", columns, rows)


def _rate(result: Mapping[str, Any] | None, label: Label) -> str:
    if result is None:
        return "–"
    if "heads" not in result:
        return "all diverged"
    head = result["heads"][label]
    diverged = [f"{trial['lr']:g}" for trial in head["trials"] if "diverged" in trial]
    return f"{head['lr']:g}" + (f" (diverged: {', '.join(diverged)})" if diverged else "")
