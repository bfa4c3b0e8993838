"""Hand on an evaluation that is written, and join those of one run by their harmonic mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.schema import Label
from pipelines.evaluate.intervals import Interval, harmonic, interval
from pipelines.evaluate.metrics import harmonic_mean
from pipelines.evaluate.metrics_file import DatasetSplit, Metrics


@dataclass(frozen=True)
class Evaluation:
    """An evaluation that is written.

    Attributes:
        metrics: what its metrics.json says.
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
    """Top-1 of one label within the run's own dataset and on a cross target, joined.

    Attributes:
        target: the cross target.
        label: 'noun' or 'verb'.
        value: percent.
        interval: 95 % over the recordings of both, percent.
    """

    target: DatasetSplit
    label: Label
    value: float
    interval: Interval | None


def harmonic_mean_of(within: Metrics | None, cross: Metrics | None, label: Label) -> HarmonicMean | None:
    """Join the top-1 of one label on two targets; None where one of them has none."""
    own, other = (metrics.labels.get(label) if metrics else None for metrics in (within, cross))
    if within is None or cross is None or own is None or other is None or own.top1 is None or other.top1 is None:
        return None
    ends = interval(harmonic(within.draws(own), cross.draws(other)))
    return HarmonicMean(cross.target, label, harmonic_mean(own.top1, other.top1), ends)


def harmonic_means(evaluations: Sequence[Metrics]) -> list[HarmonicMean]:
    """Join the accuracy within the run's own dataset with that on every other target, label by label.

    Args:
        evaluations: of one run; the first within its own dataset is joined with all others.
    """
    within = next((metrics for metrics in evaluations if metrics.within), None)
    others = [metrics for metrics in evaluations if metrics is not within]
    means = [harmonic_mean_of(within, metrics, label) for metrics in others for label in metrics.labels]
    return [mean for mean in means if mean is not None]
