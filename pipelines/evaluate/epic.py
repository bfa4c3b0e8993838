"""Compute EPIC-KITCHENS-100's own numbers: overall, unseen participants and tail classes.

As the dataset's authors compute them (Damen et al., IJCV 2022, section 4.1; epic-kitchens/C1-Action-Recognition):
micro accuracies, top-1 and top-5 overall, top-1 on the parts. A clip is a tail action when its verb or its noun is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from data_manifests.schema import Label
from pipelines.evaluate.actions import RankedActions
from pipelines.evaluate.cluster_counts import counted
from pipelines.evaluate.metrics_file import EpicNumbers
from pipelines.evaluate.predictions import Predictions

CLASSES: dict[Label, int] = {"noun": 300, "verb": 97}

UNSEEN_PARTICIPANTS = ("P18", "P32")
"""Participants of the validation split without a training video (EPIC_100_unseen_participant_ids_validation.csv)."""

_LARGE = {"verb": {*range(10), 11}, "noun": {*range(56), 57, 58, 60, 63, 66}}
_WITHOUT_TRAINING_CLIPS = {"noun": {205, 240, 270, 275, 286, 288, 289, 290, 294, 295, 296}, "verb": set[int]()}
TAIL: dict[Label, list[int]] = {
    label: [number for number in range(count) if number not in _LARGE[label] | _WITHOUT_TRAINING_CLIPS[label]]
    for label, count in CLASSES.items()
}
"""The tail classes of EPIC_100_tail_{verbs,nouns}.csv: the smallest classes, which together have a fifth of the
training clips; classes without a training clip are not among them."""


def epic_metrics(predictions: Predictions, actions: RankedActions | None) -> dict[str, dict[str, EpicNumbers]]:
    """Compute 'overall', 'unseen_participants' and 'tail_classes', each of labels and 'action'.

    Args:
        predictions: of EPIC-KITCHENS-100 clips.
        actions: of the same; None when one of the heads is not there.
    """
    clips = predictions.clips
    unseen = np.array([participant in UNSEEN_PARTICIPANTS for participant in clips.participants], bool)
    tail = {label: np.isin(values, TAIL[label]) for label, values in clips.labels.items()}
    result: dict[str, dict[str, EpicNumbers]] = {"overall": {}, "unseen_participants": {}, "tail_classes": {}}
    for label in predictions.scores:
        scored = predictions.of(label)
        if not len(scored.rows):
            continue
        labelled, right = clips.labels[label] >= 0, scored.ranks == 0
        whole = counted(right, scored.recordings, int(labelled.sum()))
        result["overall"][label] = EpicNumbers(top5=float(100 * np.mean(scored.ranks < 5)), **dict(whole))
        for name, part in (("unseen_participants", unseen), ("tail_classes", tail[label])):
            result[name][label] = _of_part(right, scored.rows, predictions, labelled, part)
    if actions is not None and len(actions.rows):
        labelled = np.logical_and.reduce([values >= 0 for values in clips.labels.values()])
        whole = counted(actions.top1, actions.recordings, int(labelled.sum()))
        result["overall"]["action"] = EpicNumbers(top5=float(100 * actions.top5.mean()), **dict(whole))
        for name, part in (("unseen_participants", unseen), ("tail_classes", _either(tail))):
            result[name]["action"] = _of_part(actions.top1, actions.rows, predictions, labelled, part)
    return result


def _either(tail: Mapping[Label, np.ndarray]) -> np.ndarray:
    either: np.ndarray = tail["verb"] | tail["noun"]
    return either


def _of_part(
    right: np.ndarray, rows: np.ndarray, predictions: Predictions, labelled: np.ndarray, part: np.ndarray
) -> EpicNumbers:
    kept = part[rows]
    recordings = predictions.recordings.only(rows[kept])
    return EpicNumbers(**dict(counted(right[kept], recordings, int((part & labelled).sum()))))
