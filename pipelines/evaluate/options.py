"""Options of ``xmic evaluate`` and of ``[evaluate]``, and those of ``xmic score``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from data_manifests.errors import UsageError
from pipelines.engine.options import Argument, Completes, Doc, Metavar, Options

CLIPS = "Count these clips only: a text file of one clip id per line, or Parquet or CSV with clip_id."
"""Help of ``--clips``."""

Vectors = Literal["own", "mean", "shuffled", "zero"]
"""The clip's own X-MIC vector, the mean over all scored clips, another clip's, or none."""

FrameOrder = Literal["own", "shuffled", "reversed"]
"""The clip's frames in their own order, in an order drawn for each clip, or backwards."""


@dataclass(frozen=True)
class Control:
    """Alteration of the clips or X-MIC vectors, as a control.

    At most one of the two is not ``own``. Without one the evaluation is the ordinary one.
    """

    vectors: Vectors = "own"
    order: FrameOrder = "own"

    def __bool__(self) -> bool:
        """Return whether anything is altered."""
        return self != NO_CONTROL

    @property
    def options(self) -> dict[str, str]:
        """Names of the options that are not ``own``, with their values."""
        found = {"xmic_vector": self.vectors, "frame_order": self.order}
        return {name: value for name, value in found.items() if value != "own"}

    @property
    def words(self) -> list[str]:
        """What is altered, in words, for titles; empty without a control."""
        vectors = [] if self.vectors == "own" else [f"X-MIC vector {self.vectors}"]
        return vectors + ([] if self.order == "own" else [f"frames {self.order}"])


NO_CONTROL = Control()
"""The ordinary evaluation."""


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """Datasets and split to evaluate on, and controls."""

    cross: Annotated[
        tuple[str, ...], Completes("datasets"), Doc("Also evaluate on this dataset; may be repeated.")
    ] = ()
    split: Annotated[str | None, Completes("splits"), Doc("Split to evaluate on. (default: val, else test)")] = None
    allow_mixed: Annotated[bool, Doc("Accept a target made with other settings; tables say so.")] = False
    xmic_vector: Annotated[
        Vectors, Doc("A control: score with the clip's own X-MIC vector, or with mean, shuffled or zero ones.")
    ] = "own"
    frame_order: Annotated[
        FrameOrder, Doc("A control: score the clip's frames in their own order, shuffled or reversed.")
    ] = "own"

    def check(self) -> None:
        """Refuse two controls at once."""
        if self.xmic_vector != "own" and self.frame_order != "own":
            raise UsageError(
                f"xmic_vector={self.xmic_vector} with frame_order={self.frame_order}: an evaluation has one control. "
                "Leave one of them out, and evaluate a second time."
            )

    @property
    def control(self) -> Control:
        """The control that was asked for."""
        return Control(self.xmic_vector, self.frame_order)


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(Options):
    """Score files of one model, and the clips that they are of."""

    files: Annotated[tuple[Path, ...], Argument(), Metavar("FILE..."), Doc("Parquet or CSV with clip_id and scores.")]
    dataset: Annotated[str, Completes("datasets"), Doc("Prepared dataset that the scores are of.")]
    split: Annotated[str | None, Completes("splits"), Doc("Split of the dataset. (default: val, else test)")] = None
    name: Annotated[str, Doc("Name of the model.")]
    source: Annotated[
        str | None, Doc("Dataset that the model was trained on, for shared and novel classes and seen actions.")
    ] = None
    clips: Annotated[Path | None, Doc(CLIPS)] = None
    card_to: Annotated[Path | None, Doc("Also copy the result card into this folder.")] = None
