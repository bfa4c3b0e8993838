"""Lay clips out in the plane by their vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.errors import MissingUpstream
from data_manifests.schema import LABELS, Label
from pipelines.decode.stage import DecodeStage, decoded_plans, decoded_shards
from pipelines.engine.clips import read_clips
from pipelines.engine.shards import iter_rows, read_rows, side_path
from pipelines.engine.workspace import Workspace
from pipelines.prepare.classes import read_classes
from pipelines.report.choose import by_hash
from pipelines.report.shown_models import Answers, Model, answers_of

MOST_POINTS = 2000
"""Most points of a map."""
_MOST_SHARDS = 24  # vectors of a split that are read: enough for its share of the points
_NAMED = 8
_FEWEST = 3
_SAID = {True: "right", False: "wrong", None: "none"}
ASPECT = 1.6
"""Width of the map divided by its height."""


@dataclass(frozen=True)
class Point:
    """Clip on the map.

    Attributes:
        x: percent of the width.
        y: percent of the height, from the top.
        kinds: its part in each colouring, such as 'dataset-0 train noun-3 verb-other noun-right'.
        words: what it is.
    """

    x: float
    y: float
    kinds: str
    words: str


@dataclass(frozen=True)
class Colouring:
    """Colours of the map by one property.

    Attributes:
        name: 'dataset', 'noun', 'verb', 'noun-answers' or 'verb-answers'.
        title: in words.
        parts: (kind of :class:`Point`, name, number of points), in the order of their colours.
    """

    name: str
    title: str
    parts: Sequence[tuple[str, str, int]]


@dataclass(frozen=True)
class ClipMap:
    """Clips laid out in the plane.

    Attributes:
        encoder: folder name of the encoder of the vectors.
        points: clips.
        colourings: 'dataset' comes first.
        kept: percent of the variance of the vectors along the two axes.
    """

    encoder: str
    points: Sequence[Point]
    colourings: Sequence[Colouring]
    kept: tuple[float, float]


@dataclass(frozen=True)
class _Clip:
    place: str
    clip_id: str
    classes: Mapping[Label, str]
    right: Mapping[Label, bool]
    vector: np.ndarray


def clip_map(workspace: Workspace, models: Sequence[Model]) -> ClipMap | None:
    """Project mean frame vectors of clips onto their first two principal axes.

    A clip's vector is the mean of its frames' full vectors, each of length 1, by the encoder of the models. Clips of
    all prepared splits are on the map, at most 2,000, chosen by the hash of their ids. None without such vectors.

    Args:
        workspace: where frames and vectors are.
        models: the right and wrong answers are those of the second one, or of the only one.

    Raises:
        DamagedShard: vectors or predictions are damaged on disk.
    """
    encoders = [str(metrics.protocol.get("encoder") or "") for model in models for metrics, _ in model.on.values()]
    if not any(encoders):
        return None
    encoder = Counter(filter(None, encoders)).most_common(1)[0][0]
    model = models[min(1, len(models) - 1)]
    places = workspace.prepared()
    clips = [
        clip
        for dataset, split in places
        for clip in _clips(workspace, dataset, split, encoder, model, MOST_POINTS // len(places))
    ]
    if len(clips) < _FEWEST:
        return None
    flat, kept = principal_axes(np.stack([clip.vector for clip in clips]))
    colourings = _colourings(clips, model)
    kinds = [[_kind(colouring, clip) for colouring in colourings] for clip in clips]
    # What is drawn last lies on top: a fixed order that mixes the datasets.
    order = {
        clip_id: number for number, clip_id in enumerate(by_hash(f"{clip.place} {clip.clip_id}" for clip in clips))
    }
    rows = sorted(range(len(clips)), key=lambda row: order[f"{clips[row].place} {clips[row].clip_id}"])
    points = [Point(*_placed(flat, row), " ".join(kinds[row]), _words(clips[row], model)) for row in rows]
    return ClipMap(encoder, points, [_counted(one, kinds, place) for place, one in enumerate(colourings)], kept)


def principal_axes(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Project vectors onto their first two principal axes.

    The largest part of each axis is positive, so the same vectors give the same picture.

    Args:
        vectors: float64 [N, D].

    Returns:
        float64 [N, 2], and the percent of the variance along each axis.
    """
    centred = vectors - vectors.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    axes = np.vstack([axes, np.zeros((2, axes.shape[1]))])[:2]
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    whole = float((sizes**2).sum()) or 1.0
    kept = [100 * float(size) ** 2 / whole for size in (*sizes, 0.0, 0.0)[:2]]
    return centred @ (axes * np.where(signs == 0, 1, signs)[:, None]).T, (kept[0], kept[1])


def _placed(flat: np.ndarray, row: int) -> tuple[float, float]:
    """Place a point in percent, with the same scale along both axes."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    scale = 92 / max(float(high[0] - low[0]), float(high[1] - low[1]) * ASPECT, 1e-12)
    x, y = (flat[row] - (low + high) / 2) * scale
    return round(50 + float(x), 2), round(50 - float(y) * ASPECT, 2)


def _clips(workspace: Workspace, dataset: str, split: str, encoder: str, model: Model, most: int) -> list[_Clip]:
    found = _frames_with_vectors(workspace, dataset, split, encoder)
    if found is None:
        return []
    stage, folder = found
    try:
        names = {label: read_classes(workspace, dataset, label).column("name").to_pylist() for label in LABELS}
        shards = [shard for shard in decoded_shards(stage)[0] if (folder / shard.path.name).is_file()]
    except MissingUpstream:
        return []
    groups = {shard.group: shard for shard in shards}
    shards = [groups[group] for group in by_hash(groups)[:_MOST_SHARDS]]
    manifest = read_clips(workspace, dataset, split)
    row_of = {clip_id: row for row, clip_id in enumerate(manifest.clip_ids)}
    of_shard = {shard.group: {task.video_id for task in shard.videos} for shard in shards}
    there = set().union(*of_shard.values()) if of_shard else set()
    chosen = set(by_hash(clip for clip, row in row_of.items() if manifest.video_ids[row] in there)[:most])
    vectors: dict[str, np.ndarray] = {}
    for shard in shards:
        vectors |= _means(shard.path, folder / shard.path.name, chosen)
    answers = _answers(model, dataset, split)
    clips = []
    for clip_id in sorted(vectors):
        classes = {label: int(manifest.labels[label][row_of[clip_id]]) for label in LABELS}
        known = {label: names[label][number] for label, number in classes.items() if number >= 0}
        right = {label: of.right(clip_id) for label, of in answers.items() if clip_id in of.truth}
        clips.append(_Clip(f"{dataset} {split}", clip_id, known, right, vectors[clip_id]))
    return clips


def _frames_with_vectors(
    workspace: Workspace, dataset: str, split: str, encoder: str
) -> tuple[DecodeStage, Path] | None:
    for slug, plan in decoded_plans(workspace, dataset, split).items():
        folder = workspace.embeddings(dataset, split, slug, encoder, "full")
        if any(folder.glob("part-*.parquet")):
            return DecodeStage(workspace, dataset, split, plan), folder
    return None


def _answers(model: Model, dataset: str, split: str) -> dict[Label, Answers]:
    for target, (metrics, folder) in model.on.items():
        if (target.dataset, target.split) == (dataset, split):
            return {label: answers_of(folder, label) for label in metrics.labels}
    return {}


def _means(frames: Path, vectors: Path, chosen: set[str]) -> dict[str, np.ndarray]:
    """Compute the mean of the normalised vectors of each chosen clip of a shard."""
    rows = read_rows(side_path(frames, "clip_frames"), ["clip_id", "video_id", "pts"])
    rows = rows.filter(pc.is_in(rows.column("clip_id"), pa.array(sorted(chosen), pa.string())))
    of_frame: dict[tuple[str, int], set[str]] = {}
    for row in rows.to_pylist():
        of_frame.setdefault((row["video_id"], row["pts"]), set()).add(row["clip_id"])
    sums: dict[str, np.ndarray] = {}
    for table in iter_rows(vectors, ["video_id", "pts", "vector"]):
        keys = zip(table.column("video_id").to_pylist(), table.column("pts").to_pylist(), strict=True)
        matrix = table.column("vector").combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        for place, key in enumerate(keys):
            for clip_id in sorted(of_frame.get(key, ())):
                vector = matrix[place].astype(np.float64)
                sums[clip_id] = sums.get(clip_id, 0) + vector / max(float(np.linalg.norm(vector)), 1e-12)
    return {clip_id: total / max(float(np.linalg.norm(total)), 1e-12) for clip_id, total in sums.items()}


def _colourings(clips: Sequence[_Clip], model: Model) -> list[Colouring]:
    """List the colourings that tell clips apart; their points are not counted yet."""
    places = list(dict.fromkeys(clip.place for clip in clips))
    datasets = list(dict.fromkeys(place.rpartition(" ")[0] for place in places))
    splits = []
    for place in places:
        dataset, _, split = place.rpartition(" ")
        splits.append((f"dataset-{datasets.index(dataset)}{' train' if split == 'train' else ''}", place, 0))
    found = [Colouring("dataset", "dataset", splits)]
    for label in LABELS:
        counts = Counter(clip.classes[label] for clip in clips if label in clip.classes)
        often = sorted(counts, key=lambda name: (-counts[name], name))[:_NAMED]
        parts = [(f"{label}-{number}", name or "(empty name)", 0) for number, name in enumerate(often)]
        found.append(Colouring(label, label, [*parts, (f"{label}-other", "others", 0)]))
    for label in LABELS:
        if any(label in clip.right for clip in clips):
            kinds = (("right", "right"), ("wrong", "wrong"), ("none", "not scored"))
            parts = [(f"{label}-{kind}", words, 0) for kind, words in kinds]
            found.append(Colouring(f"{label}-answers", f"{label} right or wrong: {model.title}", parts))
    return found


def _kind(colouring: Colouring, clip: _Clip) -> str:
    if colouring.name == "dataset":
        return next(kind for kind, name, _ in colouring.parts if name == clip.place)
    label: Label = "noun" if colouring.name.startswith("noun") else "verb"
    if colouring.name.endswith("-answers"):
        return f"{label}-{_SAID[clip.right.get(label)]}"
    name = clip.classes.get(label)
    wanted = None if name is None else name or "(empty name)"
    return next((kind for kind, known, _ in colouring.parts[:-1] if known == wanted), f"{label}-other")


def _counted(colouring: Colouring, kinds: Sequence[Sequence[str]], place: int) -> Colouring:
    counts = Counter(of[place] for of in kinds)
    parts = [(kind, name, counts[kind]) for kind, name, _ in colouring.parts if counts[kind]]
    return Colouring(colouring.name, colouring.title, parts)


def _words(clip: _Clip, model: Model) -> str:
    named = " ".join(clip.classes[label] for label in ("verb", "noun") if label in clip.classes)
    said = ", ".join(f"{label} {'right' if right else 'wrong'}" for label, right in clip.right.items())
    return f"{clip.clip_id} of {clip.place}: {named or 'no label'}" + (f" ({said})" if said else "")
