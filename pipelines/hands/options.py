"""Options of ``xmic detect-hands`` and of ``[hands]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from data_manifests.errors import UsageError
from pipelines.decode.options import PLAN
from pipelines.engine.options import CommandOnly, Completes, Doc, Group, Options
from pipelines.engine.precision import Precision

CropFit = Literal["center", "pad"]
IMPORTED = ("epic-100doh", "boxes")
"""Values of ``--detector`` for boxes made elsewhere, which are in the files of ``--boxes``."""

_IMPORT = "Boxes made elsewhere"
_NEEDED = {
    "epic-100doh": "the folder with EPIC-KITCHENS' hand-objects/P01/P01_01.pkl, …",
    "boxes": "a table of boxes (.parquet or .csv)",
}


@dataclass(frozen=True)
class HandsOptions(Options):
    """Choice of a hand detector, or of boxes to import.

    A chain without ``[hands]`` has the defaults; ``hands = false`` detects no hands.
    """

    detector: Annotated[
        str,
        Completes("detectors"),
        Doc("yolo, mediapipe (optional), epic-100doh or boxes (both read --boxes), or package.module:Class."),
    ] = "yolo"
    weights: Annotated[
        Path | None,
        Doc(
            "For yolo: Ultralytics detection weights (.pt), a model of xmic hands train (.safetensors), or "
            "hf://owner/repo/file. (default: the model that comes with xmic)"
        ),
    ] = None
    hand_class: Annotated[
        tuple[str, ...],
        Doc(
            "Hand classes of the weights, with commas or repeated; left and right are sides. (default: those named "
            "hand, or left and right alone)"
        ),
    ] = ()
    image_size: Annotated[
        int | None,
        Ge(32),
        Doc("Longer side of the network's input, pixels. (default: that of the weights, or 640 if they give none)"),
    ] = None
    precision: Annotated[Precision, Doc("Precision of yolo's network; auto chooses by the hardware.")] = "auto"
    batch_size: Annotated[
        int | None,
        Ge(1),
        Doc(
            "Frames per forward pass; fixed, the last one is padded. (default: as before, or 64 for inputs of up to "
            "320 pixels and 16 for larger ones)"
        ),
    ] = None
    boxes: Annotated[
        Path | None,
        Group(_IMPORT),
        Doc(
            "Boxes made elsewhere. epic-100doh: the folder of EPIC-KITCHENS' hand-objects. "
            "boxes: a table (.parquet or .csv)."
        ),
    ] = None
    boxes_tolerance: Annotated[
        float, Ge(0), Group(_IMPORT), Doc("Longest time between a row of the table and its frame, seconds.")
    ] = 0.05
    plan: Annotated[str | None, CommandOnly("a chain decodes every split by one plan"), Doc(PLAN)] = None

    def check(self) -> None:
        """Refuse options of another kind of detector."""
        if self.detector in IMPORTED:
            self._check_import()
        elif self.boxes is not None:
            raise UsageError(
                f"--boxes {self.boxes}: the detector {self.detector} finds boxes itself. To import some, say "
                "what they are with --detector epic-100doh or --detector boxes."
            )
        elif self.detector != "yolo" and self.precision != "auto":
            raise UsageError(
                f"--precision {self.precision}: it is for --detector yolo; {self.detector} decides itself."
            )
        elif self.detector == "mediapipe":
            self._check_mediapipe()

    def _check_mediapipe(self) -> None:
        taken = {"--weights": self.weights, "--hand-class": ",".join(self.hand_class), "--image-size": self.image_size}
        for option, value in taken.items():
            if value not in (None, ""):
                raise UsageError(f"{option} {value}: it is for --detector yolo; mediapipe has its own networks.")

    def _check_import(self) -> None:
        if self.weights is not None:
            raise UsageError(f"--weights {self.weights}: --detector {self.detector} reads boxes and runs no network.")
        if self.precision != "auto":
            raise UsageError(f"--precision {self.precision}: --detector {self.detector} runs no network.")
        if self.boxes is None:
            raise UsageError(f"--boxes is missing: --detector {self.detector} needs {_NEEDED[self.detector]}.")
