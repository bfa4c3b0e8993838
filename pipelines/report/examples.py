"""Choose clips where a trained method changed the answer of zero-shot classification."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from data_manifests.errors import MissingUpstream
from data_manifests.schema import LABELS, Label
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.stage import DecodeStage, decoded_plans, decoded_shards
from pipelines.engine.shards import read_rows, side_path
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.hands.crops import CropPolicy, crop, union_box
from pipelines.hands.detector import Box
from pipelines.hands.stage import read_boxes
from pipelines.prepare.classes import read_classes
from pipelines.report.headlines import beside_zero_shot
from pipelines.report.per_class import PREDICTIONS, scores_are_there

MOST = 40
"""Most examples on a page."""
_TOP = 5
_SHOWN = 3
_SIDE, _QUALITY = 144, 75

Change = Literal["wrong → right", "right → wrong"]
CHANGES: tuple[Change, Change] = ("wrong → right", "right → wrong")


@dataclass(frozen=True)
class Shot:
    """Frame and hand crop as data URIs of small JPEGs.

    ``crop`` is None where no hand was found, or where the evaluation uses no crops.
    """

    frame: str
    crop: str | None


@dataclass(frozen=True)
class Example:
    """Clip whose answer differs between zero-shot and a trained method.

    Attributes:
        run: of the trained method.
        target: 'dataset split'.
        clip_id: of the clip.
        label: of the answer.
        change: 'wrong → right' or 'right → wrong'.
        truth: the right class.
        before: (class, percent) of zero-shot's five best, by the softmax of its logits.
        after: the same of the trained method.
        shots: some frames of the clip; none where they are not in the workspace any more.
    """

    run: str
    target: str
    clip_id: str
    label: Label
    change: Change
    truth: str
    before: Sequence[tuple[str, float]]
    after: Sequence[tuple[str, float]]
    shots: Sequence[Shot] = ()


def examples(workspace: Workspace, evaluations: Sequence[tuple[Metrics, Path]]) -> list[Example]:
    """Choose clips whose answer an X-MIC run changed from zero-shot.

    At most 40 clips are chosen, of the first X-MIC run that has a zero-shot run beside it.

    The same evaluations give the same clips: they are drawn by the hash of their ids.

    Args:
        workspace: where frames and boxes are.
        evaluations: (metrics, folder of the evaluation).
    """
    compared = list(_compared(evaluations))
    if not compared:
        return []
    first = compared[0][0][0].run.name
    chosen = [pair for pair in compared if pair[0][0].run.name == first]
    kinds = len(chosen) * len(LABELS) * len(CHANGES)
    found: list[Example] = []
    for trained, plain in chosen:
        of_target: list[Example] = []
        for label in trained[0].labels:
            if label in plain[0].labels:
                of_target += _changed(workspace, trained, plain, label, max(1, MOST // kinds))
        found += _with_shots(workspace, trained[0], of_target[: MOST - len(found)])
    return found


_Evaluation = tuple[Metrics, Path]


def _compared(evaluations: Sequence[_Evaluation]) -> Iterator[tuple[_Evaluation, _Evaluation]]:
    with_scores = [(metrics, folder) for metrics, folder in evaluations if scores_are_there(metrics, folder)]
    for trained in with_scores:
        if trained[0].run.method != "xmic" or trained[0].control:
            continue
        plain = beside_zero_shot(trained[0], [metrics for metrics, _ in with_scores])
        if plain is not None:
            yield trained, next(pair for pair in with_scores if pair[0] is plain)


def _changed(workspace: Workspace, trained: _Evaluation, plain: _Evaluation, label: Label, each: int) -> list[Example]:
    metrics = trained[0]
    try:
        names = read_classes(workspace, metrics.target.dataset, label).column("name").to_pylist()
    except MissingUpstream:
        return []
    before, after = (_scores(folder, label) for _, folder in (plain, trained))
    shown: list[Example] = []
    for change in CHANGES:
        picked = []
        for clip_id in before.keys() & after.keys():
            truth, old = before[clip_id]
            _, new = after[clip_id]
            was, now = int(old.argmax()) == truth, int(new.argmax()) == truth
            if (was, now) == ((False, True) if change == CHANGES[0] else (True, False)):
                picked.append(clip_id)
        picked.sort(key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())
        for clip_id in picked[:each]:
            truth, old = before[clip_id]
            answers = _best(old, names), _best(after[clip_id][1], names)
            place = str(metrics.target)
            shown.append(Example(metrics.run.name, place, clip_id, label, change, names[truth], *answers))
    return shown


def _scores(folder: Path, label: Label) -> dict[str, tuple[int, np.ndarray]]:
    found = labelled_scores(folder / PREDICTIONS, label)
    return {clip: (int(t), s) for clip, t, s in zip(found.clip_ids, found.truth, found.scores, strict=True)}


def _best(scores: np.ndarray, names: Sequence[str]) -> list[tuple[str, float]]:
    shares = np.exp(scores.astype(np.float64) - scores.max())
    shares *= 100 / shares.sum()
    return [(names[number], float(shares[number])) for number in np.argsort(-scores, kind="stable")[:_TOP]]


def _with_shots(workspace: Workspace, metrics: Metrics, found: list[Example]) -> list[Example]:
    """Add frames of the clips to the examples of one evaluation."""
    plan = decoded_plans(workspace, metrics.target.dataset, metrics.target.split).get(metrics.protocol["plan"])
    if plan is None:
        return found
    frames = DecodeStage(workspace, metrics.target.dataset, metrics.target.split, plan)
    try:
        shards, _ = decoded_shards(frames)
    except MissingUpstream:
        return found
    slug, detector = metrics.protocol.get("crop"), metrics.protocol.get("detector")
    policy = CropPolicy.of_slug(slug) if slug else None
    boxes = workspace.hands(frames.dataset, frames.split, plan.slug, str(detector))
    segments = {round((place + 0.5) * plan.segments / _SHOWN - 0.5) for place in range(_SHOWN)}
    clips = {example.clip_id for example in found}
    shots: dict[str, list[Shot]] = {}
    for shard in shards:
        wanted: dict[tuple[str, int], list[str]] = {}
        for row in read_rows(side_path(shard.path, "clip_frames")).to_pylist():
            centre = row["candidate"] == plan.centre_candidate
            if row["clip_id"] in clips and row["segment"] in segments and centre:
                wanted.setdefault((row["video_id"], row["pts"]), []).append(row["clip_id"])
        if not wanted:
            continue
        there = policy is not None and (boxes / shard.path.name).is_file()
        found_boxes = read_boxes(boxes / shard.path.name) if there else {}
        for rows in shard.rows():
            for row in rows.to_pylist():
                key = row["video_id"], row["pts"]
                for clip_id in wanted.get(key, ()):
                    shots.setdefault(clip_id, []).append(_shot(row, found_boxes.get(key, []), policy))
    return [replace(example, shots=shots.get(example.clip_id, [])) for example in found]


def _shot(row: Mapping[str, object], boxes: Sequence[Box], policy: CropPolicy | None) -> Shot:
    picture = from_jpeg(row["jpeg"])  # type: ignore[arg-type]
    height, width = picture.shape[:2]
    box = union_box(boxes, policy, width, height) if policy else None
    cut = _uri(crop(picture, box, policy)) if policy and box else None
    return Shot(_uri(picture), cut)


def _uri(picture: np.ndarray) -> str:
    height, width = picture.shape[:2]
    shrunk = min(1.0, _SIDE / height)
    size = max(1, round(width * shrunk)), max(1, round(height * shrunk))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return f"data:image/jpeg;base64,{base64.b64encode(to_jpeg(small, _QUALITY)).decode()}"
