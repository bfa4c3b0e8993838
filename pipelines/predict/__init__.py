"""Apply a trained run to new footage: load, embed, predict.

    from pipelines.predict import load_run
    run = load_run("xmic-work")
    footage = run.embed(["kitchen.mp4"], window_s=0.5)
    for clip in run.predict(footage, nouns=["cup", "kettle", "chopping board"]):
        print(clip.start_s, clip.nouns[0].name, clip.nouns[0].probability)

The words are any words; without them they are the classes of the run's own dataset. See :func:`load_run`,
:meth:`Predictor.embed` and :meth:`Predictor.predict`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.predict.run import EmbeddedFootage, Predictor, load_run

__all__ = ["EmbeddedFootage", "Predictor", "load_run"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use.

    The command line reads this package's options without torch.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipelines.predict import run

    return getattr(run, name)
