"""Apply a trained run, or an encoder alone, to new footage.

    from pipelines.predict import load_run
    run = load_run("xmic-work")
    footage = run.embed(["kitchen.mp4"], window_s=0.5)
    for clip in run.predict(footage, nouns=["cup", "kettle", "chopping board"]):
        print(clip.start_s, clip.nouns[0].name, clip.nouns[0].probability)

The words are any words; without them they are the classes of the run's own dataset. ``load_zero_shot("pocket")`` needs
no run. A video is a file, or :class:`Frames`. The answers make tables: ``to_table()``, ``to_pandas()``. See
:func:`load_run`, :func:`load_zero_shot`, :meth:`Predictor.embed` and :meth:`Predictor.predict`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.predict.frames import Frames
    from pipelines.predict.load import load_run, load_zero_shot
    from pipelines.predict.run import EmbeddedFootage, Predictor

_FILES = {
    "EmbeddedFootage": "run",
    "Frames": "frames",
    "Predictor": "run",
    "load_run": "load",
    "load_zero_shot": "load",
}

__all__ = ["EmbeddedFootage", "Frames", "Predictor", "load_run", "load_zero_shot"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use.

    The command line reads this package's options without torch.
    """
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
