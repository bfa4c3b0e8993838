"""Options of ``xmic predict`` that say how footage is made as a run's own was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pipelines.engine.options import Doc, Group, Options

_MADE = Group("Made as the run's")


@dataclass(frozen=True)
class Overrides(Options):
    """What the user gives for a run to be used on new footage; None = as the run had it."""

    encoder: Annotated[
        str | None,
        _MADE,
        Doc("The run's encoder with its folder, FAMILY:MODEL=FILE, where the run only knows the file's name."),
    ] = None
    v2: Annotated[str | None, _MADE, Doc("The same for its second encoder.")] = None
    detector: Annotated[str | None, _MADE, Doc("Another hand detector than the run's; needs --allow-mixed.")] = None
    weights: Annotated[Path | None, _MADE, Doc("The detector's weights (.pt).")] = None
    boxes: Annotated[
        Path | None,
        _MADE,
        Doc(
            "Hand boxes of these videos, for a run trained on boxes made elsewhere: as for xmic detect-hands. A "
            "table of another name than the run's is another detector. A video goes by its name, with or without "
            "its ending."
        ),
    ] = None
    allow_mixed: Annotated[bool, _MADE, Doc("Accept another detector or precision than the run's.")] = False
