"""Compare each trained run with zero-shot on the same clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.errors import InputError
from data_manifests.schema import LABELS, Label
from pipelines.evaluate.compare import Comparison, Side, compare
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.collect import method_title

_SAME = ("encoder", "prompt", "names")


@dataclass(frozen=True)
class Headline:
    """Difference of a trained run from zero-shot, in points.

    Attributes:
        run: name of the run, with its control.
        control: whether the clips or the X-MIC vectors were altered.
        method: title of the method.
        trained_on: 'dataset split'.
        target: 'dataset split'.
        within: the target is of the dataset that was trained on.
        label: noun or verb.
        clips: number of clips.
        top1: percent.
        zero_shot: percent of zero-shot on the same clips.
        difference: in points.
        interval: 95 % of the difference: paired cluster bootstrap over recordings.
    """

    run: str
    control: bool
    method: str
    trained_on: str
    target: str
    within: bool
    label: Label
    clips: int
    top1: float
    zero_shot: float
    difference: float
    interval: tuple[float, float]

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval[0] > 0 or self.interval[1] < 0

    @property
    def points(self) -> str:
        """Difference with its interval: '+10.2 (6.4 to 14.1)'."""
        return f"{self.difference:+.1f} ({self.interval[0]:.1f} to {self.interval[1]:.1f})"

    @property
    def text(self) -> str:
        """The whole line in words."""
        said = "" if self.significant else ", not significant"
        return (
            f"{self.method} trained on {self.trained_on}, on {self.clips:,} clips of {self.target}: {self.label}s "
            f"{self.top1:.1f} % against {self.zero_shot:.1f} % of zero-shot, {self.points}{said}"
        )


def beside_zero_shot(trained: Metrics, evaluations: Sequence[Metrics]) -> Metrics | None:
    """Find the zero-shot evaluation on the same target, encoder and names.

    One of the same classified stream is preferred.
    """
    same = [
        plain
        for plain in evaluations
        if plain.run.method == "zero-shot"
        and not plain.control
        and plain.target == trained.target
        and all(plain.protocol.get(name) == trained.protocol.get(name) for name in _SAME)
    ]
    same.sort(key=lambda plain: plain.protocol.get("classify") != trained.protocol.get("classify"))
    return next(iter(same), None)


def headlines(evaluations: Sequence[Metrics]) -> list[Headline]:
    """Compare each trained run with zero-shot, within its dataset first."""
    found = [line for metrics in evaluations if metrics.run.method != "zero-shot" for line in _of(metrics, evaluations)]
    return sorted(found, key=lambda line: (line.run, not line.within))


def plain(line: Headline) -> dict[str, Any]:
    """Return a headline as plain values, for JSON."""
    return {**vars(line), "significant": line.significant, "points": line.points, "text": line.text}


def _of(metrics: Metrics, evaluations: Sequence[Metrics]) -> Iterator[Headline]:
    other = beside_zero_shot(metrics, evaluations)
    if other is None:
        return
    for label in LABELS:
        mine, theirs = metrics.labels.get(label), other.labels.get(label)
        if mine is None or theirs is None or mine.top1 is None or theirs.top1 is None:
            continue
        compared = _compared(metrics, mine.recordings, theirs.recordings)
        if compared is None:
            continue
        yield Headline(
            metrics.name,
            bool(metrics.control),
            method_title(metrics.run, metrics.control.words),
            str(metrics.trained_on),
            str(metrics.target),
            metrics.within,
            label,
            mine.n_evaluated,
            mine.top1,
            theirs.top1,
            compared.difference,
            compared.interval,
        )


def _compared(metrics: Metrics, mine: Any, theirs: Any) -> Comparison | None:
    try:
        return compare(*(Side([[counts]], [metrics.stream]) for counts in (mine, theirs)))
    except InputError:
        # The two are on other clips, so there is no pair.
        return None
