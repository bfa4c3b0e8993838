"""What the second experiment measures and asks, declared before anything was trained on its seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.pocket.cells import Cell, Change

SEEDS = (20, 21, 22)
"""Of worlds and trainings. No one has looked at them; 0–2 and 900–904 served the first experiment."""

SIZE, SEGMENTS = "compact", 8
"""600 training and 500 test clips per domain; one frame in the middle of each of eight segments."""

RECIPE: dict[str, Any] = {"batch": 16}
"""What all trainings change: so few clips make 570 steps, about as many as in the first experiment."""

_MLP: tuple[tuple[str, Any], ...] = ()
_LINEAR = (("head", "linear"), ("head_relu", False))
_NONE = (("head", "none"), ("head_relu", False))


@dataclass(frozen=True)
class HeadCell(Cell):
    """One row of the second experiment: a method with a preset and settings of its own.

    Attributes:
        preset: of the method.
        settings: what differs from the preset.
    """

    preset: str = "official"
    settings: tuple[tuple[str, Any], ...] = ()

    def run_options(self, size: str) -> dict[str, Any]:
        """Options of its run: preset, segment centres, recipe and settings."""
        if not self.trains:
            return {"set": {}, "fixed_frames": True}
        quick = {"epochs": 2, "warmup_epochs": 1, "batch": 16} if size == "small" else RECIPE
        return {"preset": self.preset, "set": {**quick, **dict(self.settings)}, "fixed_frames": True}


FORMS, ORDER, VECTOR, BOXES = (
    "Forms of the head",
    "Order and number of frames",
    "The X-MIC vector and the names",
    "Boxes of the packaged hand model",
)
SECTIONS = (FORMS, ORDER, VECTOR, BOXES)

_XMIC = {
    "mlp": ("released head (official)", "official", _MLP),
    "linear": ("linear head", "official", _LINEAR),
    "none": ("no head", "official", _NONE),
    "recommended": ("paper's equations, released recipe (recommended)", "recommended", ()),
    "paper": ("paper's equations, paper's recipe (paper)", "paper", ()),
}
_FUSED = {"mlp": ("released head", _MLP), "linear": ("linear head", _LINEAR), "none": ("no head", _NONE)}
_FRAMES: tuple[Change, ...] = ("single frame", "shuffled", "reversed")
_VECTORS: tuple[Change, ...] = ("mean vector", "other vector", "nonsense names")
_TITLES = {"mean vector": "a_v = its mean", "other vector": "a_v of another clip"}


def _name(base: str, change: Change) -> str:
    return f"{base}-{change.replace(' ', '-')}"


def _altered(form: str, section: str, changes: tuple[Change, ...]) -> tuple[HeadCell, ...]:
    title, preset, settings = _XMIC[form]
    return tuple(
        HeadCell(
            _name(f"xmic-{form}", change),
            section,
            f"X-MIC, {title}, {_TITLES.get(change, change)}",
            "xmic",
            change=change,
            preset=preset,
            settings=settings,
        )
        for change in changes
    )


CELLS: tuple[HeadCell, ...] = (
    HeadCell("chance", FORMS, "uniform chance, 1/C", "chance"),
    HeadCell("majority", FORMS, "most frequent training class", "majority"),
    HeadCell("noun-majority", FORMS, "most frequent training verb of the true noun", "noun majority", labels=("verb",)),
    HeadCell("zero-shot", FORMS, "zero-shot", "zero-shot"),
    *(
        HeadCell(f"xmic-{form}", FORMS, f"X-MIC, {title}", "xmic", preset=preset, settings=settings)
        for form, (title, preset, settings) in _XMIC.items()
    ),
    *(
        HeadCell(f"late-fusion-{form}", FORMS, f"late fusion, {title}", "late-fusion", settings=settings)
        for form, (title, settings) in _FUSED.items()
    ),
    HeadCell("a5", FORMS, "A5", "a5"),
    *(cell for form in ("mlp", "none", "recommended") for cell in _altered(form, ORDER, _FRAMES)),
    *(
        HeadCell(
            _name("late-fusion-none", change),
            ORDER,
            f"late fusion, no head, {change}",
            "late-fusion",
            change=change,
            settings=_NONE,
        )
        for change in _FRAMES
    ),
    *(HeadCell(_name("a5", change), ORDER, f"A5, {change}", "a5", change=change) for change in _FRAMES),
    *(cell for form in ("mlp", "none", "recommended") for cell in _altered(form, VECTOR, _VECTORS)),
    HeadCell("zero-shot-detected", BOXES, "zero-shot", "zero-shot", boxes="detected"),
    HeadCell("xmic-mlp-detected", BOXES, "X-MIC, released head (official)", "xmic", boxes="detected"),
    HeadCell(
        "xmic-recommended-detected",
        BOXES,
        "X-MIC, paper's equations, released recipe (recommended)",
        "xmic",
        boxes="detected",
        preset="recommended",
    ),
)
OF = {cell.name: cell for cell in CELLS}


@dataclass(frozen=True)
class Family:
    """Comparisons that are corrected together (Holm).

    Attributes:
        name: of the family.
        question: that it answers.
        pairs: (cell, the cell it is compared with).
        labels: of which labels.
        columns: of which numbers.
        primary: whether it was declared as a hypothesis; the others are looked at.
    """

    name: str
    question: str
    pairs: tuple[tuple[str, str], ...]
    labels: tuple[str, ...] = ("noun", "verb")
    columns: tuple[str, ...] = ("within", "cross")
    primary: bool = True


FAMILIES = (
    Family("H1", "Is X-MIC without a head better than with the released one?", (("xmic-none", "xmic-mlp"),)),
    Family("H2", "Is the recommended preset better than the official one?", (("xmic-recommended", "xmic-mlp"),)),
    Family("H3", "Is the recommended preset better than zero-shot?", (("xmic-recommended", "zero-shot"),)),
    Family(
        "H4",
        "Does X-MIC without a head use the order of frames for verbs?",
        (("xmic-none", "xmic-none-shuffled"), ("xmic-none", "xmic-none-reversed")),
        labels=("verb",),
        columns=("within",),
    ),
    Family(
        "H5",
        "Does it hold on the packaged detector's boxes?",
        (("xmic-recommended-detected", "xmic-mlp-detected"),),
    ),
    Family(
        "L1",
        "Which part is gained on shared classes, which on novel ones?",
        (("xmic-none", "xmic-mlp"), ("xmic-recommended", "xmic-mlp"), ("xmic-recommended", "zero-shot")),
        columns=("shared", "novel", "hm"),
        primary=False,
    ),
    Family(
        "L2",
        "Does the same hold for a linear head, and for late fusion? Is A5 better?",
        (
            ("xmic-linear", "xmic-mlp"),
            ("xmic-none", "xmic-linear"),
            ("xmic-recommended", "xmic-none"),
            ("xmic-paper", "zero-shot"),
            ("late-fusion-linear", "late-fusion-mlp"),
            ("late-fusion-none", "late-fusion-mlp"),
            ("xmic-none", "late-fusion-none"),
            ("a5", "xmic-recommended"),
        ),
        primary=False,
    ),
    Family(
        "L3",
        "What do order and number of frames change?",
        tuple(
            (base, _name(base, change))
            for base in ("xmic-mlp", "xmic-none", "xmic-recommended", "late-fusion-none", "a5")
            for change in _FRAMES
        ),
        primary=False,
    ),
    Family(
        "L4",
        "What does the clip's own X-MIC vector give?",
        tuple(
            (base, _name(base, change))
            for base in ("xmic-mlp", "xmic-none", "xmic-recommended")
            for change in ("mean vector", "other vector")
        ),  # type: ignore[arg-type]
        primary=False,
    ),
)

RULE = (
    "`recommended` becomes the default preset of X-MIC on two conditions, after Holm's correction. In H2 verbs within "
    "a dataset are significantly better in both sources, and none of the eight comparisons significantly worse. In H3 "
    "none of the eight is significantly worse. Otherwise `official` stays the default."
)
"""Decided before the first training."""


def declared() -> dict[str, Any]:
    """Everything that is frozen, in plain values: seeds, sizes, cells, questions, tests and the rule."""
    return {
        "seeds": SEEDS,
        "size": SIZE,
        "segments": SEGMENTS,
        "candidates": 1,
        "recipe": RECIPE,
        "cells": [asdict(cell) for cell in CELLS],
        "families": [asdict(family) for family in FAMILIES],
        "test": "paired cluster bootstrap over the recordings of all seeds together, 10,000 draws, two-sided; Holm "
        "within a family; significant below 0.05",
        "rule": RULE,
        "open": "an encoder of width 512: no such encoder is packaged, so whether 32 hidden units limit X-MIC on CLIP "
        "is not asked here",
    }
