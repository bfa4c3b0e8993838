"""What the experiment measures: its cells, each a method under a protocol, perhaps tested on altered clips."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Literal

from data_manifests.schema import LABELS, Label
from pocket_kitchens.demo import demo_config

SOURCES = ("epic", "ego4d")
OTHER = {"epic": "ego4d", "ego4d": "epic"}
"""Trained on → carried over to."""
SIZES = ("full", "medium", "demo", "small")
NORMS = ("n1", "n2", "n3")
_BY_RULE = ("chance", "majority", "noun majority")

Change = Literal["", "single frame", "shuffled", "reversed", "mean vector", "other vector", "nonsense names"]
"""What is altered at test: the middle frame is in all segments; the frames of a clip are in another order, or in the
reverse order; a_v is the mean over the test clips; it is another clip's; class names are made-up words."""


@dataclass(frozen=True)
class Cell:
    """One row of the tables, measured for each seed and source.

    Attributes:
        name: of its files.
        section: of the report.
        title: of its row.
        method: 'xmic', 'zero-shot', or a rule that looks at no frame: 'chance', 'majority', 'noun majority'.
        streams: conditioning streams.
        classify: the classified stream.
        boxes: 'true' ones, 'random' ones of equal size, or those that the packaged hand model 'detected', in training
            and test.
        norms: which of n1, n2, n3 are on.
        change: what is altered at test.
        labels: what it is measured for.
    """

    name: str
    section: str
    title: str
    method: str
    streams: Literal["full", "hand", "both"] = "both"
    classify: Literal["full", "hand"] = "hand"
    boxes: Literal["true", "random", "detected"] = "true"
    norms: tuple[str, ...] = ("n1",)
    change: Change = ""
    labels: tuple[Label, ...] = LABELS

    @property
    def trains(self) -> bool:
        """Whether it rests on a trained adapter."""
        return self.method not in (*_BY_RULE, "zero-shot")

    @property
    def by_rule(self) -> bool:
        """Whether it looks at no frame."""
        return self.method in _BY_RULE

    def run_options(self, size: str) -> dict[str, Any]:
        """Options of its run, as :class:`pipelines.train.options.TrainOptions` takes them.

        They are 'set' and whatever differs from the defaults; 'set' is empty where nothing is trained.
        """
        return {"set": {**recipe(size), **{n: n in self.norms for n in NORMS}} if self.trains else {}}


MAIN, TABLE4, TABLE6, CONTROLS = (
    "X-MIC and zero-shot CLIP",
    "Conditioning and classified streams (Table 4)",
    "Normalisation (Table 6)",
    "Controls",
)
SECTIONS = (MAIN, TABLE4, TABLE6, CONTROLS)

_STREAMS = ("full", "hand", "both")
_NORMS = (("n2",), ("n3",), ("n1", "n2"), ("n1", "n3"), ("n2", "n3"), ("n1", "n2", "n3"), ())

CELLS = (
    Cell("chance", CONTROLS, "uniform chance, 1/C", "chance"),
    Cell("majority", CONTROLS, "most frequent training class", "majority"),
    Cell("noun-majority", CONTROLS, "most frequent training verb of the true noun", "noun majority", labels=("verb",)),
    Cell("zero-shot-full", MAIN, "zero-shot, full frames", "zero-shot", classify="full"),
    Cell("zero-shot-hand", MAIN, "zero-shot, hand crops", "zero-shot"),
    Cell("zero-shot-random", CONTROLS, "zero-shot, random boxes", "zero-shot", boxes="random"),
    Cell("zero-shot-nonsense", CONTROLS, "zero-shot, nonsense names", "zero-shot", change="nonsense names"),
    Cell("xmic", MAIN, "X-MIC, official", "xmic"),
    Cell("xmic-single", CONTROLS, "X-MIC, single frame", "xmic", change="single frame"),
    Cell("xmic-shuffled", CONTROLS, "X-MIC, shuffled frames", "xmic", change="shuffled"),
    Cell("xmic-mean-vector", CONTROLS, "X-MIC, a_v = its mean", "xmic", change="mean vector"),
    Cell("xmic-other-vector", CONTROLS, "X-MIC, a_v of another clip", "xmic", change="other vector"),
    Cell("xmic-nonsense", CONTROLS, "X-MIC, nonsense names", "xmic", change="nonsense names"),
    *(
        Cell(f"xmic-{s}-on-{c}", TABLE4, f"condition on {s}, classify {c}", "xmic", streams=s, classify=c)  # type: ignore[arg-type]
        for c in ("hand", "full")
        for s in _STREAMS
        if (s, c) != ("both", "hand")
    ),
    *(Cell("xmic-" + ("".join(n) or "none"), TABLE6, ", ".join(n) or "none", "xmic", norms=n) for n in _NORMS),
    Cell("xmic-random", CONTROLS, "X-MIC, random boxes", "xmic", boxes="random"),
)

LATER = "Added after the freeze: boxes of the packaged hand model"
LATER_CELLS = (
    Cell("zero-shot-detected", LATER, "zero-shot, detected boxes", "zero-shot", boxes="detected"),
    Cell("xmic-detected", LATER, "X-MIC, detected boxes", "xmic", boxes="detected"),
)
"""The hand model came after the freeze, so its cells are no part of the hash and stand apart in the report."""

OF = {cell.name: cell for cell in (*CELLS, *LATER_CELLS)}

DEFAULT_AS = {TABLE4: "condition on both, classify hand", TABLE6: "n1"}
"""The title of the official X-MIC in the tables that vary it."""

COMPARED = (
    ("X-MIC − zero-shot, both on hand crops", "xmic", "zero-shot-hand"),
    ("zero-shot: hand crops − full frames", "zero-shot-hand", "zero-shot-full"),
    ("zero-shot: true − random boxes", "zero-shot-hand", "zero-shot-random"),
    ("X-MIC: true − random boxes", "xmic", "xmic-random"),
    ("conditioned on both − on full", "xmic", "xmic-full-on-hand"),
    ("conditioned on both − on hand", "xmic", "xmic-hand-on-hand"),
    ("n1 − none", "xmic", "xmic-none"),
    ("n1 − n1, n2, n3", "xmic", "xmic-n1n2n3"),
    ("all frames − single frame", "xmic", "xmic-single"),
    ("frames in order − shuffled", "xmic", "xmic-shuffled"),
    ("own a_v − mean a_v", "xmic", "xmic-mean-vector"),
    ("own a_v − another clip's", "xmic", "xmic-other-vector"),
)
"""(what, cell, the cell it is compared with)."""

LATER_COMPARED = (
    ("X-MIC: true − detected boxes", "xmic", "xmic-detected"),
    ("X-MIC: detected − random boxes", "xmic-detected", "xmic-random"),
    ("X-MIC − zero-shot, both on detected boxes", "xmic-detected", "zero-shot-detected"),
    ("zero-shot: true − detected boxes", "zero-shot-hand", "zero-shot-detected"),
)


_QUICK = {"epochs": 3, "batch": 16, "warmup_epochs": 1}


def recipe(size: str) -> dict[str, Any]:
    """What a size sets of X-MIC's recipe: nothing for the full one; for the medium one, with a quarter of the clips, a
    quarter of the batch, so that both make as many steps; for the demo's what ``xmic demo`` sets, and for the small one
    of ``--quick`` next to no training."""
    if size == "full":
        return {}
    if size == "medium":
        return {"batch": 32}
    if size == "small":
        return _QUICK
    runs = tomllib.loads(demo_config())["train"]
    found: dict[str, Any] = next(run["set"] for run in runs if run["method"] == "xmic")
    return found
