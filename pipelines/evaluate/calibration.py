"""Expected calibration error and temperature scaling (Guo et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_manifests.schema import Label
from pipelines.evaluate.metrics_file import Calibration
from pipelines.evaluate.predictions import Predictions, Scored

BINS = 15
"""Number of bins, of equal width over the probability of the best class."""

_COLDEST, _HOTTEST, _HALVINGS = 0.01, 100.0, 24
_ROWS = 2048


@dataclass(frozen=True)
class Temperature:
    """Temperature of one head, the divisor of its logits before softmax.

    Attributes:
        value: T; 1 leaves the trained logit scale as it is.
        fitted_on: the split whose labels it was fitted on, never the evaluated one; None when it was not fitted.
    """

    value: float = 1.0
    fitted_on: str | None = None


def log_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Compute log softmax(logits / T), float64 [M, C]."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(1, keepdims=True)
    result: np.ndarray = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
    return result


def calibration_error(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Compute the expected calibration error (ECE) in percent.

    It is taken over :data:`BINS` bins (Guo et al., equation 3).

    Args:
        logits: [M, C], one clip or more.
        labels: [M], class indices.
        temperature: T, by which the logits are divided.
    """
    parts = [logits[start : start + _ROWS] for start in range(0, len(logits), _ROWS)]
    best = np.concatenate([np.exp(log_probabilities(part, temperature).max(1)) for part in parts])
    right = logits.argmax(1) == labels
    # A bin holds its upper end, so that a probability of 1 is in the last one.
    bins = np.clip(np.ceil(best * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.abs(np.bincount(bins, weights=right - best, minlength=BINS))
    return float(100 * gaps.sum() / len(labels))


def calibration_of(scored: Scored, temperature: Temperature) -> Calibration:
    """Compute a head's calibration errors, as trained and at its temperature."""
    raw = calibration_error(scored.scores, scored.truth)
    fitted = temperature.fitted_on is not None
    return Calibration(
        bins=BINS,
        ece=raw,
        temperature=temperature.value,
        fitted_on=temperature.fitted_on,
        ece_at_temperature=calibration_error(scored.scores, scored.truth, temperature.value) if fitted else raw,
    )


def fit_temperatures(predictions: Predictions, fitted_on: str) -> dict[Label, Temperature]:
    """Fit the temperature of each head.

    It is 1 for a head none of whose clips is scored.

    Args:
        predictions: of a split that is not the one to evaluate.
        fitted_on: its name, 'dataset split'.
    """
    heads = {label: predictions.of(label) for label in predictions.scores}
    return {
        label: Temperature(fit_temperature(scored.scores, scored.truth), fitted_on)
        if len(scored.rows)
        else Temperature()
        for label, scored in heads.items()
    }


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Fit the temperature that minimises the cross-entropy of the labels.

    It lies between 0.01 and 100 (Guo et al., section 4.2).

    Args:
        logits: [M, C], one clip or more.
        labels: [M], class indices.
    """
    # The loss is convex in 1/T, so its slope has one sign on each side of the best T.
    coldest, hottest = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (coldest + hottest) / 2
        if _slope(logits, labels, float(np.exp(middle))) > 0:
            coldest = middle
        else:
            hottest = middle
    return float(np.exp((coldest + hottest) / 2))


def _slope(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Compute d loss / d(1/T): the expected logit minus that of the label, summed over clips."""
    total = 0.0
    for start in range(0, len(logits), _ROWS):
        part = logits[start : start + _ROWS].astype(np.float64)
        expected = (np.exp(log_probabilities(part, temperature)) * part).sum(1)
        total += float((expected - part[np.arange(len(part)), labels[start : start + _ROWS]]).sum())
    return total
