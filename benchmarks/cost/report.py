"""The tables of what was measured, as Markdown; what is reckoned is marked, and what is missing is said."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.command import markdown_table
from benchmarks.cost.plan import EMBEDDING, LIMIT_S, METHODS, REFERENCE, Cost, Grid, Step, cost_of, reckon, score_name
from benchmarks.result_file import Results

_MIB = 2**20

PROPAGATED = {
    "zero-shot": ("nothing is trained", "B·C·D"),
    "clip-adapter": ("B + C vectors through two bottlenecks", "the same"),
    "clip-adapter-temporal": ("B·N vectors through the temporal blocks, B + C through two bottlenecks", "the same"),
    "coop": ("C prompts through the text tower", "C prompts once, then B·C·D"),
    "cocoop": ("B·C prompts through the text tower", "B·C prompts: nothing can be kept"),
    "a5": ("min(C, 400) prompts through the text tower, B·N vectors through one block", "C prompts once, then B·N"),
    "a6": ("as a5, with two blocks", "as a5"),
    "vita-clip": (
        "C prompts through the text tower, B·N pictures through the image tower",
        "C prompts once, B·N pictures",
    ),
    "xmic": ("2·B·N vectors through three blocks, then B·C·D", "the same"),
    "late-fusion": ("as xmic", "the same"),
}
"""Method → what is propagated in a step, forward and back, and at test."""


def report(results: Results, grid: Grid) -> str:
    """The whole file."""
    on = results.made
    clock = (
        "seconds of one processor thread (those in which it worked for other programs, of which there were some, are "
        "not counted)"
        if on["device"] == "cpu"
        else "seconds on the clock"
    )
    parts = [
        "# What a method costs",
        f"Written by `python -m benchmarks.cost --report FILE` from measurements on {on['device']} "
        f"({on['machine']}), torch {on['torch']}: {clock}. Encoder `{on['encoder']}`, fp32, 16 frames a clip, "
        "D_II = D, each method's `official` preset. The weights are random and the vectors drawn: neither changes what "
        "a step costs. Trust the ratios more than the seconds: a step of more than about 10 s is made once, "
        "and differences of a tenth mean nothing.",
        f"×r: so many times {REFERENCE} at the same C and B, on the same machine; beside it the absolute value. ≈: not "
        f"measured, because the step would take more than {LIMIT_S:g} s, but reckoned from shorter ones; see below. "
        "≥: memory of the largest of those shorter steps.",
    ]
    missing = _missing(results, grid)
    if missing:
        parts.append("Missing, not measured yet: " + ", ".join(missing) + ".")
    heads = [f"C = {c}, B = {b}" for b in grid.clips for c in grid.classes]
    parts += [
        "## What is propagated",
        markdown_table(["method", "in a training step", "at test"], [[name, *PROPAGATED[name]] for name in PROPAGATED]),
        "B clips of N frames, C classes, vectors of width D. Methods without a tower in their row read vectors that "
        "`xmic embed` made once; the frozen text vectors of C classes are among them.",
        "## Seconds of a training step",
        "Forward, backward, optimiser.",
        markdown_table(["method", *heads], _grid_rows(results, grid, _seconds)),
        "## Memory of a training step",
        "How far the process grows, at most, while it makes the step: activations, gradients, the optimiser's "
        "averages, without towers, weights and the batch.",
        markdown_table(["method", *heads], _grid_rows(results, grid, _memory)),
        "## Seconds of a test",
        "*a clip*: to classify it once the names are encoded. *names*: to encode the C names under what was learned, "
        "once for all clips; – where the frozen text vectors do.",
        markdown_table(
            ["method", *(f"{what}, C = {c}" for c in grid.classes for what in ("a clip", "names"))],
            _tests(results, grid),
        ),
        _embedding(results),
        "## How ≈ is reckoned",
        "s(C, B) ≈ s(C, b) + (B − b)·a, where s(C, b) is measured and a, what a clip adds, comes from two measured "
        "steps that differ in their clips alone. coop, a5, a6: b = 16, and a from B = 16 and 128 at C = "
        f"{grid.few}: no clip meets the text tower, so it does not depend on C. vita-clip: b = 1, a from B = 1 and 2 "
        f"at C = {grid.classes[0]}, for the same reason. cocoop: b = 1, a from B = 1 and 2 at the same C: a step is "
        "a sum over clips. For these two small steps are told to compute their activations again on the way back "
        "(`checkpointing=on`), as large ones do by themselves. At test, ≈ is a clip scored alone where a batch of an "
        "evaluation would take too long.",
        _checked(results, grid),
    ]
    return "\n\n".join(parts) + "\n"


def _grid_rows(results: Results, grid: Grid, show: Callable[[Cost, Cost | None], str]) -> list[list[str]]:
    rows = []
    for method in PROPAGATED:
        if method == "zero-shot":
            rows.append([method, *["no step"] * (len(grid.classes) * len(grid.clips))])
            continue
        cells = []
        for clips in grid.clips:
            for classes in grid.classes:
                cost, beside = (cost_of(results, name, classes, clips, grid) for name in (method, REFERENCE))
                known = None if isinstance(beside, Step) else beside
                cells.append("not measured" if isinstance(cost, Step) else show(cost, known))
        rows.append([method, *cells])
    return rows


def _seconds(cost: Cost, beside: Cost | None) -> str:
    mark = "≈ " if cost.reckoned else ""
    return f"{mark}{_times(cost.seconds, beside.seconds if beside else None)}{_number(cost.seconds)} s"


def _memory(cost: Cost, beside: Cost | None) -> str:
    if cost.bytes is None:
        return "cannot be read"
    mark = "≥ " if cost.reckoned else ""
    return f"{mark}{_times(cost.bytes, beside.bytes if beside else None)}{cost.bytes / _MIB:.0f} MiB"


def _tests(results: Results, grid: Grid) -> list[list[str]]:
    rows = []
    for method in PROPAGATED:
        cells = []
        for classes in grid.classes:
            found, beside = (results.read(score_name(name, classes)) for name in (method, REFERENCE))
            if found is None:
                cells += ["not measured"] * 2
                continue
            mark = "≈ " if found["clips"] == 1 else ""
            cells.append(
                f"{mark}{_times(found['clip'], beside['clip'] if beside else None)}{_number(1000 * found['clip'])} ms"
            )
            cells.append("–" if found["once"] is None else f"{_number(found['once'])} s")
        rows.append([method, *cells])
    return rows


def _embedding(results: Results) -> str:
    found = results.read(EMBEDDING)
    seconds = "not measured" if found is None else f"{_number(found['clip'])} s"
    return (
        "A clip's vectors are not in these numbers, but for vita-clip, which makes its own in every step and test. All "
        f"others need N = 16 pictures through the image tower once, in `xmic embed`: {seconds} a clip here, and xmic "
        "and late-fusion twice that, since they read hand crops and full frames."
    )


def _checked(results: Results, grid: Grid) -> str:
    """How far reckoning is off where the step was measured too."""
    found = []
    for method in METHODS:
        for step in (Step(method, classes, clips) for clips in grid.clips for classes in grid.classes):
            measured, reckoned = results.read(step.name), reckon(results, step, grid)
            if measured is not None and isinstance(reckoned, Cost):
                found.append(
                    f"{method} C = {step.classes}, B = {step.clips}: {_number(reckoned.seconds)} s for "
                    f"{_number(measured['seconds'])} s"
                )
    return "Reckoned for measured, where there are both: " + ("; ".join(found) or "nowhere") + "."


def _missing(results: Results, grid: Grid) -> list[str]:
    names = [score_name(m, c) for m in METHODS for c in grid.classes if results.read(score_name(m, c)) is None]
    for method in METHODS:
        for classes in grid.classes if method != "zero-shot" else ():
            costs = [cost_of(results, method, classes, clips, grid) for clips in grid.clips]
            names += [
                f"{method} C = {classes}, B = {b}"
                for b, c in zip(grid.clips, costs, strict=True)
                if isinstance(c, Step)
            ]
    return names


def _times(value: float, beside: float | None) -> str:
    """The ratio, where there is something to divide by."""
    return f"×{_number(value / beside)}, " if beside else ""


def _number(value: float) -> str:
    """Three digits that count, in plain notation."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.5f}"
