"""Choose the recipe of a training and the epoch that is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from data_manifests.errors import UsageError

RecipeName = Literal["published", "matched"]
Select = Literal["last", "source-val", "target"]

LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Learning rates that the recipe ``matched`` tries, the same for every method.

They are half a decade apart. They range from the lowest published rate to five times the highest: 1e-4 is
Efficient-Prompt's, 5e-4 X-MIC's and 2e-3 CoOp's.
"""

PRESET_CLASSIFIES = {"official": "hand", "xmic-code": "hand", "recommended": "hand", "paper": "full"}
"""Classified stream of each preset: hand crops in the official code and ours, full frames in the paper's text."""

MATCHED_SOURCE_VAL = 10.0
"""Percent of the recordings that ``matched`` holds out by default."""


@dataclass(frozen=True)
class SelectionPolicy:
    """Recipe of a training, recordings held out, and epoch to keep.

    Attributes:
        recipe: ``published`` takes the method's own optimiser, learning rate and schedule; ``matched`` tries
            :data:`LEARNING_RATES` and keeps the head that is best on held-out recordings of the training split.
        source_val: percent of the training split's recordings that are held out; None = none, and with ``matched``
            :data:`MATCHED_SOURCE_VAL`.
        select: the epoch that is kept: the last one, the best on the held-out recordings, or the best on labelled
            clips of ``target``. The last choice leaks: its results on that target are not those on an unseen one.
        target: DATASET or DATASET:SPLIT, for ``target`` only.

    Raises:
        UsageError: a value is unknown or out of range, or two of them contradict each other.
    """

    recipe: RecipeName = "published"
    source_val: float | None = None
    select: Select = "last"
    target: str | None = None

    def __post_init__(self) -> None:
        """Check the values and fill in the percentage of ``matched``."""
        for option, value, known in (("recipe", self.recipe, RecipeName), ("select", self.select, Select)):
            if value not in get_args(known):
                raise UsageError(f"--{option} {value}: expected {', '.join(get_args(known))}")
        if self.source_val is None and self.recipe == "matched":
            object.__setattr__(self, "source_val", MATCHED_SOURCE_VAL)
        if self.source_val is not None and not 0 < self.source_val < 100:
            raise UsageError(f"--source-val {self.source_val:g}%: expected more than 0 and less than 100")
        if self.select == "source-val" and self.source_val is None:
            raise UsageError("--select source-val needs recordings that are held out: add --source-val 10%")
        if self.select == "target" and self.target is None:
            raise UsageError("--select target needs the labelled clips to choose by: add --target DATASET[:SPLIT]")
        if self.target is not None and self.select != "target":
            raise UsageError(f"--target {self.target}: it is for --select target; --select is {self.select}")

    @property
    def ordinary(self) -> bool:
        """True if nothing is held out, tried or chosen."""
        return self == SelectionPolicy()

    @property
    def chosen_by(self) -> str | None:
        """Accuracy of ``metrics.jsonl`` that the kept epoch maximises.

        None = the last epoch is kept.
        """
        return {"last": None, "source-val": "source_val_accuracy", "target": "target_accuracy"}[self.select]


def parse_percent(value: str | float) -> float:
    """Parse a percentage: '10%', '10' or a number.

    Raises:
        UsageError: the value is not a finite number.
    """
    try:
        percent = float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except ValueError:
        percent = math.nan
    if not math.isfinite(percent):
        raise UsageError(f"--source-val {value}: expected a percentage, for instance 10%")
    return percent
