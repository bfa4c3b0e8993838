"""Measure zero-shot classification: accuracy, loss against ln C, and cosines.

An adapter that is trained on a frozen encoder starts from its zero-shot logits. Where their loss is not below ln C, the
loss of equal scores, a training first learns to drown the class texts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipelines.evaluate.calibration import fit_temperature, log_probabilities
from pipelines.evaluate.cluster_counts import Recordings
from pipelines.evaluate.intervals import WITHIN, Interval, multiplicities
from pipelines.evaluate.metrics import top_k

_ROUNDING = 1e-6
"""Nats. Equal scores give ln C up to rounding, which is no information."""


@dataclass(frozen=True)
class ZeroShot:
    """Zero-shot numbers of one label on pictures of one kind.

    Losses are mean cross-entropies in nats.

    Attributes:
        clips: number of clips or pictures, M.
        recordings: number of their recordings.
        classes: number of classes that compete, C.
        top1: accuracy in percent.
        loss: with the encoder's own logit scale.
        temperature: divisor of the logits that gives the least loss on these clips, 0.01 to 100. The largest one means
            that no temperature helps: scores are best when they are equal.
        best_loss: at this temperature.
        chance_loss: ln C, the loss of equal scores.
        gain: ``chance_loss`` − ``best_loss``.
        gain_interval: 95 %, over recordings, at this temperature.
        own_cosine: mean cosine of a clip with the text of its own class.
        all_cosine: mean cosine of a clip with the texts of all classes.
        cosine_gap_interval: ``own_cosine`` − ``all_cosine``, 95 %, over recordings. Below 0 the texts mislead.
        text_cosine: mean cosine of two texts of different classes.
    """

    clips: int
    recordings: int
    classes: int
    top1: float
    loss: float
    temperature: float
    best_loss: float
    chance_loss: float
    gain: float
    gain_interval: Interval
    own_cosine: float
    all_cosine: float
    cosine_gap_interval: Interval
    text_cosine: float

    @property
    def informative(self) -> bool:
        """True if the best loss is clearly below ln C.

        It is lower by more than its interval.
        """
        return self.gain_interval[0] > _ROUNDING


def measure_zero_shot(
    vectors: np.ndarray, texts: np.ndarray, labels: np.ndarray, recordings: Recordings, logit_scale: float
) -> ZeroShot:
    """Measure how well class texts classify clips without training.

    Args:
        vectors: [M, D], one per clip, one clip or more; of any length.
        texts: [C, D], one per class, two classes or more; of any length.
        labels: int [M], class indices.
        recordings: of the M clips.
        logit_scale: τ of the encoder.
    """
    vectors, texts = unit(vectors.astype(np.float64)), unit(texts.astype(np.float64))
    cosines = vectors @ texts.T
    logits, rows = logit_scale * cosines, np.arange(len(labels))
    temperature = fit_temperature(logits, labels)
    chance_loss = math.log(len(texts))
    best = -log_probabilities(logits, temperature)[rows, labels]
    own = cosines[rows, labels]
    pairs = (texts @ texts.T)[np.triu_indices(len(texts), 1)]
    return ZeroShot(
        clips=len(labels),
        recordings=len(recordings.names),
        classes=len(texts),
        top1=top_k(cosines, labels),
        loss=float(-log_probabilities(logits)[rows, labels].mean()),
        temperature=temperature,
        best_loss=float(best.mean()),
        chance_loss=chance_loss,
        gain=float(chance_loss - best.mean()),
        gain_interval=_interval_of_mean(chance_loss - best, recordings),
        own_cosine=float(own.mean()),
        all_cosine=float(cosines.mean()),
        cosine_gap_interval=_interval_of_mean(own - cosines.mean(axis=1), recordings),
        text_cosine=float(pairs.mean()),
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length 1, [..., D]."""
    scaled: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def _interval_of_mean(values: np.ndarray, recordings: Recordings) -> Interval:
    """Compute the 95 % cluster bootstrap interval of a mean over clips."""
    times = multiplicities(len(recordings.names), WITHIN)
    means = (times @ np.bincount(recordings.of, values)) / (times @ np.bincount(recordings.of))
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
