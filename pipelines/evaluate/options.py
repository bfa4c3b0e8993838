"""Options of ``xmic evaluate`` and of ``[evaluate]``, and those of ``xmic score``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pipelines.engine.options import Argument, Doc, Metavar, Options

CLIPS = "Count these clips only: a text file of one clip id per line, or Parquet or CSV with clip_id."
"""Help of ``--clips``."""

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


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(Options):
    """Score files of one model, and the clips that they are of."""

    files: Annotated[tuple[Path, ...], Argument(), Metavar("FILE..."), Doc("Parquet or CSV with clip_id and scores.")]
    dataset: Annotated[str, Doc("Prepared dataset that the scores are of.")]
    split: Annotated[str | None, Doc("Split of the dataset. (default: val, else test)")] = None
    name: Annotated[str, Doc("Name of the model.")]
    source: Annotated[
        str | None, Doc("Dataset that the model was trained on, for shared and novel classes and seen actions.")
    ] = None
    clips: Annotated[Path | None, Doc(CLIPS)] = None
    card_to: Annotated[Path | None, Doc("Also copy the result card into this folder.")] = None
