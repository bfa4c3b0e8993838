"""Write the submission file of the EPIC-KITCHENS-100 action recognition challenge.

Format: epic-kitchens/C1-Action-Recognition, version 0.2. It has a score for every verb and noun (here the logits), and
the hundred best actions (the logarithm of the product of the two heads' calibrated probabilities). Higher is better.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import InputError, UsageError
from data_manifests.schema import Label
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.actions import top_actions
from pipelines.evaluate.calibration import log_probabilities
from pipelines.evaluate.clip_list import ClipList
from pipelines.evaluate.compute_metrics import is_epic
from pipelines.evaluate.predictions import Predictions

ACTIONS = 100
_ROWS = 512
_DIGITS = 5


@dataclass(frozen=True)
class Submission:
    """File and supervision levels of a submission.

    Attributes:
        file: the JSON; the challenge takes it as ``test.json`` in a zip.
        levels: SLS-PT, SLS-TL and SLS-TD: pretraining, training labels and training data, 0 to 5 each.
    """

    file: Path
    levels: tuple[int, int, int]


def parse_levels(text: str) -> tuple[int, int, int]:
    """Parse the levels 'PT,TL,TD', each 0 to 5.

    Raises:
        UsageError: the text is not of that form.
    """
    found = re.fullmatch(r"([0-5]),([0-5]),([0-5])", text.replace(" ", ""))
    if not found:
        raise UsageError(
            f"--sls {text}: expected PT,TL,TD, 0 to 5 each: what the challenge asks of pretraining, training labels "
            "and training data; see github.com/epic-kitchens/C1-Action-Recognition"
        )
    return int(found[1]), int(found[2]), int(found[3])


def refuse_submission(workspace: Workspace, datasets: Sequence[str], listed: ClipList | None) -> None:
    """Refuse a submission of some clips, or of another dataset.

    Exactly one evaluation must be on EPIC-KITCHENS-100.

    Raises:
        UsageError: there is a list of clips, or not exactly one of the datasets is EPIC-KITCHENS-100.
    """
    if listed is not None:
        raise UsageError("--submission with --clips: the challenge wants every clip of the split; leave --clips out.")
    if sum(is_epic(workspace, dataset) for dataset in datasets) != 1:
        raise UsageError(
            f"--submission: none of {', '.join(datasets)} is EPIC-KITCHENS-100 (read by xmic prepare epic, 300 nouns "
            "and 97 verbs). Name it with --cross, and --split test for the challenge's clips."
        )


def write_submission(wanted: Submission, predictions: Predictions, temperatures: Mapping[Label, float]) -> None:
    """Write the JSON file of a submission.

    Args:
        wanted: where to, and the levels.
        predictions: of all clips of a split, both heads.
        temperatures: label → T of its head.

    Raises:
        InputError: a head is missing, a clip has no scores, or a score is not a number.
    """
    _refuse_partial(predictions)
    pretraining, labels, data = wanted.levels
    head = {"version": "0.2", "challenge": "action_recognition"}
    head |= {"sls_pt": pretraining, "sls_tl": labels, "sls_td": data}  # type: ignore[dict-item]
    with replace_atomically(wanted.file) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write(json.dumps(head)[:-1] + ', "results": {')
        for start in range(0, len(predictions.rows), _ROWS):
            entries = _entries(predictions, slice(start, start + _ROWS), temperatures)
            texts = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
            out.write((", " if start else "") + ", ".join(texts))
        out.write("}}\n")


def _refuse_partial(predictions: Predictions) -> None:
    for label in ("verb", "noun"):
        if label not in predictions.scores:
            raise InputError(f"--submission: the run has no {label} head. Run xmic train for it with --label {label}.")
        bad = int((~np.isfinite(predictions.scores[label]).all(1)).sum())
        if bad:
            raise InputError(f"--submission: {bad} clips have a {label} score that is no finite number.")
    every, scored = len(predictions.clips.clip_ids), len(predictions.rows)
    if scored < every:
        missing = sorted(set(range(every)).difference(predictions.rows.tolist()))
        raise InputError(
            f"--submission: {every - scored} of {every} clips have no scores, the first is "
            f"{predictions.clips.clip_ids[missing[0]]}; the challenge wants all of them. See xmic status."
        )


def _entries(predictions: Predictions, part: slice, temperatures: Mapping[Label, float]) -> dict[str, Any]:
    verbs, nouns = (predictions.scores[label][part] for label in ("verb", "noun"))
    log_verbs = log_probabilities(verbs, temperatures["verb"])
    best = top_actions(log_verbs, log_probabilities(nouns, temperatures["noun"]), ACTIONS)
    return {
        predictions.clips.clip_ids[row]: {
            "verb": {str(number): round(score, _DIGITS) for number, score in enumerate(verb)},
            "noun": {str(number): round(score, _DIGITS) for number, score in enumerate(noun)},
            "action": {
                f"{v},{n}": round(score, _DIGITS) for v, n, score in zip(*(x.tolist() for x in action), strict=True)
            },
        }
        for row, verb, noun, *action in zip(
            predictions.rows[part].tolist(), verbs.tolist(), nouns.tolist(), *best, strict=True
        )
    }
