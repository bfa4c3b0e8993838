"""Choose the models whose single answers a page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_manifests.schema import Label
from pipelines.decode.stage import DecodeStage, decoded_plans
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import DatasetSplit, Metrics
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.hands.crops import CropPolicy
from pipelines.report.collect import apart_notes, method_name, method_title
from pipelines.report.per_class import PREDICTIONS, scores_are_there
from pipelines.report.strips import Pictures

MOST_MODELS = 4
"""Most models on a page: more bars beside each other cannot be told apart."""


@dataclass(frozen=True)
class Model:
    """Model whose single answers are shown.

    Attributes:
        number: its place among the models of the page, which is its colour.
        title: method, preset and what it was trained on; what differs from the preset where that tells it apart.
        on: target → (metrics, folder of the evaluation).
    """

    number: int
    title: str
    on: Mapping[DatasetSplit, tuple[Metrics, Path]]


def shown_models(evaluations: Sequence[tuple[Metrics, Path]]) -> list[Model]:
    """Choose zero-shot and the first trained models that have predictions.

    Of runs that differ only by their seed the first is taken; controls and what is out of date are left out. X-MIC
    comes before other methods.

    Args:
        evaluations: (metrics, folder of the evaluation).
    """
    found: dict[tuple[int, str, str, str], dict[DatasetSplit, tuple[Metrics, Path]]] = {}
    for metrics, folder in evaluations:
        if metrics.control or metrics.outdated or not scores_are_there(metrics, folder):
            continue
        zero_shot = metrics.run.method == "zero-shot"
        rank = 0 if zero_shot else 1 if metrics.run.method == "xmic" else 2
        source = "" if zero_shot or metrics.source is None else f", trained on {metrics.source.dataset}"
        setting = rank, method_title(metrics.run, apart_notes(metrics)), method_name(metrics.run), source
        found.setdefault(setting, {}).setdefault(metrics.target, (metrics, folder))
    chosen = sorted(found.items(), key=lambda item: item[0][0])[:MOST_MODELS]
    short = [name + source for (_, _, name, source), _ in chosen]
    # What differs from the preset is named only where it tells two models apart.
    titles = [
        name if short.count(name) == 1 else full + source
        for name, ((_, full, _, source), _) in zip(short, chosen, strict=True)
    ]
    return [Model(number, title, on) for number, (title, (_, on)) in enumerate(zip(titles, chosen, strict=True))]


def targets_of(models: Sequence[Model]) -> list[DatasetSplit]:
    """List the targets of some models, each once."""
    return list(dict.fromkeys(target for model in models for target in model.on))


@dataclass(frozen=True)
class Answers:
    """Scores of a model for one label of a target.

    Attributes:
        truth: clip → right class.
        shares: clip → percent of each class, float64 [C]: the softmax of its scores.
    """

    truth: Mapping[str, int]
    shares: Mapping[str, np.ndarray]

    def right(self, clip_id: str) -> bool:
        """Return whether the best answer for a clip is the right one."""
        return int(self.shares[clip_id].argmax()) == self.truth[clip_id]


def answers_of(folder: Path, label: Label) -> Answers:
    """Read the scores of an evaluation.

    Raises:
        DamagedShard: the predictions are damaged on disk.
    """
    found = labelled_scores(folder / PREDICTIONS, label)
    shares = np.exp(found.scores.astype(np.float64) - found.scores.max(axis=1, keepdims=True))
    shares *= 100 / shares.sum(axis=1, keepdims=True)
    truth = {clip: int(number) for clip, number in zip(found.clip_ids, found.truth, strict=True)}
    return Answers(truth, dict(zip(found.clip_ids, shares, strict=True)))


def pictures_of(workspace: Workspace, models: Sequence[Model], target: DatasetSplit) -> Pictures | None:
    """Find frames, boxes and crops that models saw of a target.

    They are those of the first model with hand crops; None where the frames are not in the workspace any more.
    """
    there = [model.on[target][0] for model in models if target in model.on]
    metrics = next((one for one in there if one.protocol.get("crop")), there[0])
    plan = decoded_plans(workspace, target.dataset, target.split).get(metrics.protocol.get("plan", ""))
    if plan is None:
        return None
    frames = DecodeStage(workspace, target.dataset, target.split, plan)
    slug, detector = metrics.protocol.get("crop"), metrics.protocol.get("detector")
    if not slug or not detector:
        return Pictures(frames)
    boxes = workspace.hands(target.dataset, target.split, plan.slug, str(detector))
    return Pictures(frames, boxes, CropPolicy.of_slug(slug))
