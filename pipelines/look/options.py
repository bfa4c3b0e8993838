"""Options of ``xmic look``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from pipelines.engine.options import Argument, Doc, Options

MOST_CLIPS = 100
"""Most clips with pictures: the page must stay small enough to open."""


@dataclass(frozen=True)
class LookOptions(Options):
    """Dataset to look at, and the size of the page.

    ``split`` None is all prepared splits; ``name`` None is ``look-<dataset>``.
    """

    dataset: Annotated[str, Argument(), Doc("A prepared dataset.")]
    split: Annotated[str | None, Doc("Show this split only: train, val or test. (default: all prepared)")] = None
    clips: Annotated[int, Ge(1), Le(MOST_CLIPS), Doc("Clips to show, spread over splits and classes.")] = 48
    name: Annotated[str | None, Doc("Folder name below reports/. (default: look-DATASET)")] = None
