"""Rank actions (verb, noun) by the product of the two heads' probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from data_manifests.schema import Label
from data_manifests.vocabulary import Vocabulary
from pipelines.evaluate.calibration import log_probabilities
from pipelines.evaluate.cluster_counts import Recordings, counted
from pipelines.evaluate.metrics_file import Actions, Pairs
from pipelines.evaluate.predictions import Predictions

_ROWS = 256

Pair = tuple[int, int]
"""(verb class, noun class)."""


def top_actions(verbs: np.ndarray, nouns: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank the k best pairs of each clip.

    Args:
        verbs: log probabilities [M, V].
        nouns: log probabilities [M, N].
        k: how many; all pairs when there are fewer.

    Returns:
        Verb classes int64 [M, k], noun classes int64 [M, k], best first, and the log of the product float64 [M, k].
    """
    # A pair of the k best has its verb among the k best verbs: each better one would make a better pair with its noun.
    best_verbs, best_nouns = (np.argsort(-x, axis=1, kind="stable")[:, :k] for x in (verbs, nouns))
    width = best_nouns.shape[1]
    count = min(k, best_verbs.shape[1] * width)
    found = [np.empty((len(verbs), count), kind) for kind in (np.int64, np.int64, np.float64)]
    for start in range(0, len(verbs), _ROWS):
        part = slice(start, start + _ROWS)
        verb, noun = best_verbs[part], best_nouns[part]
        of_verb = np.take_along_axis(verbs[part], verb, 1)
        of_noun = np.take_along_axis(nouns[part], noun, 1)
        both = (of_verb[:, :, None] + of_noun[:, None, :]).reshape(len(verb), -1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :count]
        found[0][part] = np.take_along_axis(verb, order // width, 1)
        found[1][part] = np.take_along_axis(noun, order % width, 1)
        found[2][part] = np.take_along_axis(both, order, 1)
    return found[0], found[1], found[2]


@dataclass(frozen=True)
class RankedActions:
    """The scored clips that carry both labels, K of them.

    Attributes:
        rows: int64 [K], rows among all clips to evaluate.
        truth: int64 [K, 2], verb and noun.
        recordings: of the K clips.
        top1: bool [K], verb and noun are both right.
        top5: bool [K], the pair is among the five best.
        official: int64 [O, 2], the pairs of all clips that carry both labels, scored or not.
    """

    rows: np.ndarray
    truth: np.ndarray
    recordings: Recordings
    top1: np.ndarray
    top5: np.ndarray
    official: np.ndarray


def rank_actions(predictions: Predictions, temperatures: Mapping[Label, float]) -> RankedActions:
    """Rank the verb-noun pairs of each clip that carries both labels.

    Pairs are ranked by the product of the two heads' calibrated probabilities.

    Args:
        predictions: scores of both heads.
        temperatures: label → T of its head.
    """
    clips = predictions.clips
    pairs = np.stack([clips.labels["verb"], clips.labels["noun"]], 1)
    labelled = pairs.min(1) >= 0
    kept = labelled[predictions.rows]
    rows = predictions.rows[kept]
    verbs, nouns = (
        log_probabilities(predictions.scores[label][kept], temperatures[label]) for label in ("verb", "noun")
    )
    best_verbs, best_nouns, _ = top_actions(verbs, nouns, 5)
    same = (best_verbs == pairs[rows, :1]) & (best_nouns == pairs[rows, 1:])
    return RankedActions(
        rows, pairs[rows], predictions.recordings.only(rows), same[:, :1].any(1), same.any(1), pairs[labelled]
    )


def action_metrics(ranked: RankedActions, seen: Set[Pair] | None) -> Actions:
    """Compute action accuracy on all, seen and unseen pairs.

    Args:
        ranked: the clips.
        seen: pairs of the target's classes that a training clip of the source shows; None when that is not known.
    """
    whole = counted(ranked.top1, ranked.recordings, len(ranked.official))
    parts: list[Pairs | None] = [None, None]
    if seen is not None:
        in_truth, in_official = (_among(pairs, seen) for pairs in (ranked.truth, ranked.official))
        parts = [_pairs(ranked, in_truth, in_official), _pairs(ranked, ~in_truth, ~in_official)]
    return Actions(
        top1=whole.percent,
        top5=float(100 * ranked.top5.mean()) if len(ranked.rows) else None,
        n_evaluated=whole.n_evaluated,
        n_official=whole.n_official,
        recordings=whole.recordings,
        seen=parts[0],
        unseen=parts[1],
    )


def _pairs(ranked: RankedActions, clips: np.ndarray, official: np.ndarray) -> Pairs:
    rows = np.flatnonzero(clips)
    part = counted(ranked.top1[rows], ranked.recordings.only(rows), int(official.sum()))
    return Pairs(pairs=len({tuple(pair) for pair in ranked.official[official].tolist()}), **dict(part))


def seen_pairs(trained: Set[Pair], verbs: Vocabulary, nouns: Vocabulary) -> set[Pair]:
    """Find the target's pairs that the source's training clips show.

    A pair is seen where one training clip shows both its verb and its noun. Classes are matched by name.

    Args:
        trained: pairs of the source's classes.
        verbs: the target's verbs, matched with the source's.
        nouns: the target's nouns, matched with the source's.
    """
    verbs_of, nouns_of = (_targets(vocabulary) for vocabulary in (verbs, nouns))
    return {
        (verb, noun)
        for source_verb, source_noun in trained
        for verb in verbs_of.get(source_verb, ())
        for noun in nouns_of.get(source_noun, ())
    }


def _targets(vocabulary: Vocabulary) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for item in vocabulary.classes:
        for source in item.sources:
            found.setdefault(source, []).append(item.class_id)
    return found


def _among(pairs: np.ndarray, seen: Set[Pair]) -> np.ndarray:
    return np.array([(verb, noun) in seen for verb, noun in pairs.tolist()], bool)
