"""Options of ``xmic predict`` that replace settings of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pipelines.engine.options import Doc, Group, Options

_MADE = Group("Encoder and hands")


@dataclass(frozen=True)
class Overrides(Options):
    """Settings of a run that the user replaces for new footage.

    None keeps the setting of the run.
    """

    encoder: Annotated[
        str | None,
        _MADE,
        Doc(
            "Without --run: encoder of a zero-shot prediction, e.g. open_clip:ViT-B-16/openai or pocket. With --run: "
            "its encoder with its folder, FAMILY:MODEL=FILE, where the run has only the file's name."
        ),
    ] = None
    v2: Annotated[str | None, _MADE, Doc("The run's second encoder, in the same form.")] = None
    detector: Annotated[
        str | None,
        _MADE,
        Doc("Another hand detector than the run's; needs --allow-mixed. Zero-shot: look at hand crops by this one."),
    ] = None
    weights: Annotated[Path | None, _MADE, Doc("The detector's weights (.pt).")] = None
    boxes: Annotated[
        Path | None,
        _MADE,
        Doc(
            "Hand boxes of these videos, in the form of xmic detect-hands, for a run trained on boxes made elsewhere. "
            "A table with another name than the run's counts as another detector. Videos are matched by name, with "
            "or without its ending."
        ),
    ] = None
    allow_mixed: Annotated[bool, _MADE, Doc("Accept another detector or precision than the run's.")] = False
