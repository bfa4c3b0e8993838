"""Options of ``xmic evaluate`` and of ``[evaluate]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipelines.engine.options import Doc, Options

Vectors = Literal["own", "mean", "shuffled", "zero"]
"""The clip's own X-MIC vector, the mean over all scored clips, another clip's, or none."""


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """Datasets and split to evaluate on, and controls."""

    cross: Annotated[tuple[str, ...], Doc("Also evaluate on this dataset; may be repeated.")] = ()
    split: Annotated[str | None, Doc("Split to evaluate on. (default: val, else test)")] = None
    allow_mixed: Annotated[bool, Doc("Accept a target made with other settings; tables say so.")] = False
    xmic_vector: Annotated[
        Vectors, Doc("A control: score with the clip's own X-MIC vector, or with mean, shuffled or zero ones.")
    ] = "own"
