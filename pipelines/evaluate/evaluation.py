"""Hold written evaluations, and average those of one run harmonically."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.schema import Label
from pipelines.evaluate.intervals import Interval, Kind, harmonic, interval, is_constant
from pipelines.evaluate.metrics import harmonic_mean
from pipelines.evaluate.metrics_file import DatasetSplit, Metrics


@dataclass(frozen=True)
class Evaluation:
    """Written evaluation: its metrics, its folder and the files made.

    Attributes:
        metrics: the content of its metrics.json.
        folder: where its files lie.
        made: how many files of scores this call wrote; 0 when they were up to date.
    """

    metrics: Metrics
    folder: Path
    made: int

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics as plain values, with 'made' and 'folder'."""
        return {**self.metrics.as_dict(), "made": self.made, "folder": str(self.folder)}


@dataclass(frozen=True)
class HarmonicMean:
    """Harmonic mean of one label's top-1 within and across datasets.

    The two accuracies are on the run's own dataset and on a cross target.

    Attributes:
        target: the cross target.
        label: 'noun' or 'verb'.
        value: percent.
        interval: 95 % over the recordings of both, percent; None where the draws of one of the two are all equal.
        interval_kind: 'degenerate' where there is no interval.
    """

    target: DatasetSplit
    label: Label
    value: float
    interval: Interval | None
    interval_kind: Kind


def harmonic_mean_of(within: Metrics | None, cross: Metrics | None, label: Label) -> HarmonicMean | None:
    """Compute the harmonic mean of one label's top-1 on two targets.

    It is None where one of the two has no top-1.
    """
    own, other = (metrics.labels.get(label) if metrics else None for metrics in (within, cross))
    if within is None or cross is None or own is None or other is None or own.top1 is None or other.top1 is None:
        return None
    draws, value = (within.draws(own), cross.draws(other)), harmonic_mean(own.top1, other.top1)
    if any(is_constant(of_one) for of_one in draws):
        return HarmonicMean(cross.target, label, value, None, "degenerate")
    return HarmonicMean(cross.target, label, value, interval(harmonic(*draws)), "bootstrap")


def harmonic_means(evaluations: Sequence[Metrics]) -> list[HarmonicMean]:
    """Compute the harmonic means of accuracies within and across datasets.

    The accuracy within the run's own dataset is averaged with that on every other target, label by label.

    Args:
        evaluations: of one run; the first within its own dataset is averaged with all others.
    """
    within = next((metrics for metrics in evaluations if metrics.within), None)
    others = [metrics for metrics in evaluations if metrics is not within]
    means = [harmonic_mean_of(within, metrics, label) for metrics in others for label in metrics.labels]
    return [mean for mean in means if mean is not None]
