"""What an evaluation says of one label."""

from __future__ import annotations

from typing import Any

import numpy as np

from data_manifests.vocabulary import Vocabulary
from pipelines.evaluate.calibration import BINS, Temperature, calibration_error
from pipelines.evaluate.cluster_counts import counted
from pipelines.evaluate.metrics import class_mean
from pipelines.evaluate.predictions import Scored
from pipelines.evaluate.references import references_of
from pipelines.evaluate.seen_novel import by_scores, novel_called_shared, parts_of, shared_novel_means


def label_metrics(
    scored: Scored, vocabulary: Vocabulary | None, temperature: Temperature, *, cross: bool, zero_shot: bool
) -> dict[str, Any]:
    """The numbers of one label, in percent over the evaluated clips.

    'recordings' is recording → [clips whose top-1 is right, clips]: what intervals are drawn from. Without an
    evaluated clip everything is None or empty.

    Args:
        scored: the clips.
        vocabulary: the target seen from the source; None when the source is not prepared.
        temperature: of the head.
        cross: whether the target is another dataset than the source.
        zero_shot: whether the scores are those of zero-shot classification.
    """
    whole = counted(scored.ranks == 0, scored.recordings, len(scored.official)) if len(scored.rows) else None
    result: dict[str, Any] = {
        "n_official": len(scored.official),
        "classes": scored.classes,
        "classes_present": len(np.unique(scored.official)),
        "n_evaluated": len(scored.rows),
        "parts": {},
        "shared_novel_hm": None,
        "novel_called_shared": None,
        "references": {},
    }
    if whole is None:
        return {**result, "top1": None, "top5": None, "class_mean": None, "recordings": {}, "calibration": None}
    if cross and vocabulary is not None:
        parts = parts_of(scored, vocabulary, by_scores(scored))
        result |= {"parts": parts, "shared_novel_hm": shared_novel_means(parts)}
        result["novel_called_shared"] = novel_called_shared(scored, vocabulary)
    return {
        **result,
        "top1": whole["percent"],
        "top5": float(100 * np.mean(scored.ranks < 5)),
        "class_mean": class_mean(scored.ranks == 0, scored.truth),
        "recordings": whole["recordings"],
        "calibration": _calibration(scored, temperature),
        "references": references_of(scored, vocabulary, cross=cross, zero_shot=zero_shot),
    }


def any_noun(scored: Scored, nouns: list[list[int]]) -> dict[str, Any]:
    """Top-1 where any annotated noun of the clip is right, not the first alone.

    Args:
        scored: the clips with a noun.
        nouns: every annotated noun class of each clip that there is to evaluate.
    """
    answers = zip(scored.predicted.tolist(), scored.truth.tolist(), scored.rows.tolist(), strict=True)
    right = np.array([best == first or best in nouns[row] for best, first, row in answers], bool)
    return counted(right, scored.recordings, len(scored.official))


def _calibration(scored: Scored, temperature: Temperature) -> dict[str, Any]:
    raw = calibration_error(scored.scores, scored.truth)
    fitted = temperature.fitted_on is not None
    return {
        "bins": BINS,
        "ece": raw,
        "temperature": temperature.value,
        "fitted_on": temperature.fitted_on,
        "ece_at_temperature": calibration_error(scored.scores, scored.truth, temperature.value) if fitted else raw,
    }
