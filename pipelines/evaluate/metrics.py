"""Compute accuracies and ranks from scores.

All accuracies are in percent, 0 to 100.
"""

from __future__ import annotations

import numpy as np

from data_manifests.errors import InputError, UsageError


def top_k(scores: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Compute top-k accuracy over clips (micro average).

    Of equal scores the class with the lower index is ranked first. With k above the number of classes
    every clip is right.

    Args:
        scores: [M, C]; −∞ keeps a class out.
        labels: [M], class indices.
        k: how many classes count, 1 or more.

    Raises:
        InputError: no clips, shapes that do not fit, a label outside the classes, or a score that is
            not a number.
        UsageError: k is below 1.
    """
    if k < 1:
        raise UsageError(f"top-{k}: expected k of 1 or more.")
    return float(100 * np.mean(ranks(scores, labels) < k))


def hits(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether each clip's class has the highest score.

    The share of hits is the top-1 accuracy of :func:`top_k`.

    Args:
        scores: [M, C].
        labels: [M], class indices.

    Returns:
        bool [M].

    Raises:
        InputError: as for :func:`top_k`.
    """
    return ranks(scores, labels) == 0


def class_mean(right: np.ndarray, labels: np.ndarray) -> float:
    """Average the accuracy of the classes that have clips (macro), in percent.

    Args:
        right: [M], whether each clip is right, one clip or more.
        labels: [M], class indices.
    """
    _, of_class, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return float(100 * np.mean(np.bincount(of_class, weights=right) / counts))


def harmonic_mean(a: float, b: float) -> float:
    """Compute the harmonic mean 2ab/(a+b) of two accuracies in percent.

    It is 0 if either is 0 (hm of Kukleva et al., CVPR 2024).
    """
    return 0.0 if a == 0 or b == 0 else float(2 * a * b / (a + b))


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count the classes that are ranked before each clip's own.

    A clip is right in top-k where its count is below k.

    Args:
        scores: [M, C].
        labels: [M], class indices.

    Returns:
        int64 [M].

    Raises:
        InputError: as for :func:`top_k`.
    """
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise InputError(
            f"scores of shape {list(scores.shape)} with labels of shape {list(labels.shape)}: "
            "expected [clips, classes] and [clips]."
        )
    clips, classes = scores.shape
    if clips == 0:
        raise InputError("no clips to score: the set is empty. Check the split, and that its clips carry this label.")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        row = outside[0]
        raise InputError(f"clip {row}: label {labels[row]} is outside the {classes} classes (0 to {classes - 1}).")
    bad = np.flatnonzero(np.isnan(scores).any(1))
    if len(bad):
        raise InputError(
            f"clip {bad[0]}: a score is not a number ({len(bad)} of {clips} clips). "
            "Its vectors or the trained weights are damaged: run xmic status --verify."
        )
    own = scores[np.arange(clips), labels][:, None]
    earlier = np.arange(classes)[None] < labels[:, None]
    before: np.ndarray = (scores > own).sum(1) + ((scores == own) & earlier).sum(1)
    return before
