"""What is measured: each method by each recipe, and where a training is cut short because it is dear."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, get_args

from benchmarks.pocket.cells import recipe
from pipelines.methods import load_method
from pipelines.methods.base import resolve_config
from pipelines.train.policy import RecipeName

RECIPES: tuple[RecipeName, ...] = get_args(RecipeName)

TITLES = {
    "zero-shot": "ZS CLIP, hand crops",
    "coop": "CoOp",
    "cocoop": "Co-CoOp",
    "clip-adapter": "CLIP-Adapter",
    "clip-adapter-temporal": "CLIP-Adapter*",
    "a5": "A5",
    "a6": "A6",
    "vita-clip": "Vita-CLIP",
    "xmic": "X-MIC",
    "late-fusion": "late fusion",
}
"""Method → what its rows are called, in the order of the paper's Table 1."""

DEAR = ("cocoop", "vita-clip")
"""Methods whose runs take longest: they come last."""

CUTS: dict[tuple[str, str], dict[str, int]] = {
    ("vita-clip", "published"): {"epochs": 4, "frames": 8},
    ("vita-clip", "matched"): {"epochs": 1, "frames": 8},
}
"""(method, recipe) → what a run is cut to, so that both of its heads are trained in half an hour on two slow cores at
size medium; at size full it is four times that.

There an epoch of both heads is 64 steps of 32 clips, and a step took 11.4 s of one core with 16 frames a clip and 3.9 s
with 8. ``matched`` trains at five learning rates, an epoch at the least: an hour with 16 frames. So Vita-CLIP sees 8 of
them by both recipes. Co-CoOp's took 0.2 s and needs no cut: the text tower of the drawn worlds' encoder is small.
"""

_CUT_SIZES = ("full", "medium")


@dataclass(frozen=True)
class MethodCell:
    """One row of the tables, measured for each seed and source.

    Attributes:
        method: a key of :data:`TITLES`.
        recipe: None of the one that learns nothing.
    """

    method: str
    recipe: RecipeName | None

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.method}-{self.recipe}" if self.recipe else self.method

    @property
    def title(self) -> str:
        """Of its row."""
        return TITLES[self.method]


CELLS = (
    MethodCell("zero-shot", None),
    *(MethodCell(method, recipe) for recipe in RECIPES for method in TITLES if method != "zero-shot"),
)


def rank(cell: MethodCell) -> tuple[bool, bool]:
    """In which order they are made: dear methods last, and the published recipe before the matched one."""
    return cell.method in DEAR, cell.recipe == "matched"


def overrides(cell: MethodCell, size: str) -> dict[str, Any]:
    """What differs from the method's own recipe: the size's batch and epochs, as of X-MIC in ``benchmarks.pocket``,
    and of :data:`CUTS`, where the warm-up is shortened as the epochs are, rounded down.

    A warm-up is never longer than the method's own.
    """
    if cell.recipe is None:
        return {}
    own = resolve_config(load_method(cell.method)).recipe
    found = recipe(size)
    if "warmup_epochs" in found:
        found = {**found, "warmup_epochs": min(found["warmup_epochs"], own.warmup_epochs)}
    cut = CUTS.get((cell.method, cell.recipe))
    if cut is not None and size in _CUT_SIZES:
        found = {**found, **cut, "warmup_epochs": own.warmup_epochs * cut["epochs"] // own.epochs}
    return found


def terms(cell: MethodCell, size: str) -> dict[str, Any]:
    """How it is trained, for the result: the recipe's values without the learning rate where that is chosen, and 'cut',
    what was cut: setting → [what it is, what the method's own is]. Empty of what learns nothing.
    """
    if cell.recipe is None:
        return {}
    method = load_method(cell.method)
    own, used = resolve_config(method), resolve_config(method, overrides=overrides(cell, size))
    theirs_of, ours_of = ({name: asdict(getattr(s, name)) for name in ("recipe", "config")} for s in (own, used))
    said = {name: value for name, value in asdict(used.recipe).items() if (name, cell.recipe) != ("lr", "matched")}
    cut = {
        name: [ours, theirs]
        for part in ("recipe", "config")
        for name, theirs in theirs_of[part].items()
        if name in ("epochs", "warmup_epochs", "frames") and (ours := ours_of[part][name]) != theirs
    }
    return {**said, "cut": cut}


def in_words(said: dict[str, Any]) -> str:
    """'5 of 15 epochs, 8 of 16 frames' where a training was cut, else nothing.

    Args:
        said: from :func:`terms`.
    """
    cut = said.get("cut", {})
    return ", ".join(f"{ours} of {theirs} {name.replace('_', ' ')}" for name, (ours, theirs) in cut.items())
