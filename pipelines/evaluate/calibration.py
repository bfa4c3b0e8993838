"""Whether the softmax of scores says how often they are right, and the temperature that makes it do so better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
"""Of equal width, over the probability of the best class."""

_COLDEST, _HOTTEST, _HALVINGS = 0.01, 100.0, 24
_ROWS = 2048


@dataclass(frozen=True)
class Temperature:
    """By what a head's logits are divided before their softmax is taken for probabilities.

    Attributes:
        value: T; 1 leaves the trained logit scale as it is.
        fitted_on: the split whose labels it was fitted on, never the evaluated one; None when it was not fitted.
    """

    value: float = 1.0
    fitted_on: str | None = None


def log_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """log softmax(logits / T), float64 [M, C]."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(1, keepdims=True)
    result: np.ndarray = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
    return result


def calibration_error(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """The expected calibration error in percent (Guo et al., ICML 2017, equation 3), over :data:`BINS` bins.

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


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature under which the labels are likeliest (Guo et al., ICML 2017, section 4.2), 0.01 to 100.

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
    """d loss / d(1/T): the expected logit minus that of the label, summed over clips."""
    total = 0.0
    for start in range(0, len(logits), _ROWS):
        part = logits[start : start + _ROWS].astype(np.float64)
        expected = (np.exp(log_probabilities(part, temperature)) * part).sum(1)
        total += float((expected - part[np.arange(len(part)), labels[start : start + _ROWS]]).sum())
    return total
