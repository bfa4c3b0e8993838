"""Compute accuracy on shared and novel classes.

The numbers are those of Table 2 of X-MIC (Kukleva et al., CVPR 2024).

*Restricted*: only the classes of the part compete, the form of Table 2. *Unrestricted*: all of the target's classes
compete, the headline of generalised zero-shot classification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np

from data_manifests.vocabulary import PARTS, Part, Vocabulary
from pipelines.evaluate.cluster_counts import counted
from pipelines.evaluate.metrics import harmonic_mean
from pipelines.evaluate.metrics_file import Counted, Means, PartNumbers
from pipelines.evaluate.predictions import Scored

_Form = Literal["restricted", "unrestricted"]
_FORMS: tuple[_Form, ...] = get_args(_Form)

Judge = Callable[[np.ndarray, np.ndarray], np.ndarray | None]
"""(rows of scored clips [K], ids of the classes that compete [C′]) → how right each clip is [K], bool or 0 to 1; None
when it cannot answer for these classes."""


def by_scores(scored: Scored) -> Judge:
    """Return a judge that answers the best scored class.

    Only the classes that compete are considered.
    """

    def judge(rows: np.ndarray, ids: np.ndarray) -> np.ndarray | None:
        if len(ids) == scored.classes:
            return scored.predicted[rows] == scored.truth[rows]
        if not len(ids):
            return np.zeros(0, bool)
        answers: np.ndarray = ids[scored.scores[np.ix_(rows, ids)].argmax(1)]
        return answers == scored.truth[rows]

    return judge


def parts_of(scored: Scored, vocabulary: Vocabulary, judge: Judge) -> dict[str, PartNumbers | None]:
    """Compute top-1 on each part of the target's classes.

    A part is None where its classes are not known, a form where the judge cannot answer.
    """
    return {part: _part(scored, vocabulary, part, judge) for part in PARTS}


def _part(scored: Scored, vocabulary: Vocabulary, part: Part, judge: Judge) -> PartNumbers | None:
    known = vocabulary.ids(part)
    if known is None:
        return None
    ids = np.array(known, np.int64)
    rows = np.flatnonzero(np.isin(scored.truth, ids))
    official = int(np.isin(scored.official, ids).sum())
    found: dict[_Form, Counted | None] = {}
    for form, competing in zip(_FORMS, (ids, np.arange(scored.classes)), strict=True):
        right = judge(rows, competing)
        found[form] = None if right is None else counted(right, scored.recordings.only(rows), official)
    return PartNumbers(classes=len(ids), **found)


def shared_novel_means(parts: Mapping[str, PartNumbers | None]) -> Means:
    """Compute the harmonic mean of shared and novel accuracy.

    It is None where one of the two is missing.
    """
    return Means(restricted=_mean(parts, "restricted"), unrestricted=_mean(parts, "unrestricted"))


def _mean(parts: Mapping[str, PartNumbers | None], form: _Form) -> float | None:
    forms = [getattr(parts[part], form, None) for part in ("shared", "novel")]
    shared, novel = (counted.percent if counted else None for counted in forms)
    return None if shared is None or novel is None else harmonic_mean(shared, novel)


def novel_called_shared(scored: Scored, vocabulary: Vocabulary) -> Counted:
    """Count the clips of novel classes that are predicted as shared.

    All classes compete.
    """
    shared, novel = (np.array(vocabulary.ids(part) or [], np.int64) for part in ("shared", "novel"))
    rows = np.flatnonzero(np.isin(scored.truth, novel))
    called = np.isin(scored.predicted[rows], shared)
    return counted(called, scored.recordings.only(rows), int(np.isin(scored.official, novel).sum()))
