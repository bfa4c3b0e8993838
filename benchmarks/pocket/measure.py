"""One cell on one world and source: train and evaluate as ``xmic`` does, or score clips that were altered."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import torch

from benchmarks.pocket.cells import OTHER, SOURCES, Cell
from benchmarks.pocket.controls import altered_frames, most_frequent, nonsense_names, verbs_of_nouns
from benchmarks.pocket.counts import counted, split_by_class
from benchmarks.pocket.worlds import World
from data_manifests.errors import Interrupted
from data_manifests.schema import Label
from pipelines.embed.encoders import load_encoder
from pipelines.engine.clips import Clips, read_clips
from pipelines.engine.digest import number_of
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.evaluate.controls import scores_under
from pipelines.evaluate.metrics import hits
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.stage import EvaluateStage, evaluation_stage
from pipelines.evaluate.trained import TrainedRun, find_run
from pipelines.methods import load_method
from pipelines.methods.base import CONDITIONING, TextBank
from pipelines.methods.xmic import XMIC
from pipelines.prepare.classes import read_classes
from pipelines.prepare.vocabulary import vocabulary_of
from pipelines.train.data import ClipData, in_order, usable_clips
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run

_CPU = torch.device("cpu")


def measure(
    cell: Cell, source: str, world: World, size: str, encoder: str, machine: Machine, deadline: float | None
) -> dict[str, Any]:
    """The result of a cell: label → 'within', 'cross', 'shared' and 'novel', each a part of clips.

    'within' are the test clips of the source, 'cross' those of the other dataset, and shared and novel ones are parts
    of these by the exact rule. X-MIC adds 'statistics', means over the test clips of the source.

    Args:
        cell: what to measure.
        source: the dataset to train on.
        world: the seed's.
        size: decides the recipe.
        encoder: its spec; it is loaded for made-up names only.
        machine: workers, device.
        deadline: a value of ``time.monotonic()`` to stop at.

    Raises:
        Interrupted: the time is over; a training goes on from there when asked again.
    """
    target = OTHER[source]
    run = None if cell.by_rule else _run(cell, source, world, size, machine, deadline)
    found: dict[str, Any] = {}
    for label in cell.labels:
        vocabulary = vocabulary_of(world.workspace, source, target, label)
        entry: dict[str, Any] = {}
        for dataset in (source, target):
            split = _split(world, dataset)
            clips = read_clips(world.workspace, dataset, split)
            if run is None:
                rows, right = _by_rule(cell.method, world, source, dataset, clips, label)
            else:
                item = evaluation_stage(world.workspace, run, dataset, split)
                rows, right = _by_scores(cell, world, encoder, item, label)
            recordings = [clips.recordings[row] for row in rows]
            if dataset == source:
                entry["within"] = counted(right, recordings)
            else:
                entry |= split_by_class(right, clips.labels[label][rows], recordings, vocabulary.ids("novel") or [])
        if cell.trains and not cell.change:
            assert run is not None
            entry["statistics"] = _statistics(
                evaluation_stage(world.workspace, run, source, _split(world, source)), label
            )
        if cell.boxes == "detected":
            entry["detector"] = world.hands["detected"]
        found[label] = entry
    return found


def _split(world: World, dataset: str) -> str:
    split = world.workspace.evaluation_split(dataset)
    assert split is not None, f"{dataset} has no split to test on"
    return split


def _run(cell: Cell, source: str, world: World, size: str, machine: Machine, deadline: float | None) -> TrainedRun:
    """The run of a cell, trained if it is not, with its ordinary evaluations."""
    streams = cell.streams if load_method(cell.method).needs & CONDITIONING else None
    options = TrainOptions(
        source,
        cell.method,
        **cell.run_options(size),
        seed=world.seed,
        encoder=world.encoder,
        streams=streams,
        classify=cell.classify,
        hands=world.hands[cell.boxes],
    )
    planned = plan_run(world.workspace, options)
    left = None if deadline is None else (deadline - time.monotonic()) / 60
    train_run(world.workspace, planned, machine, Silent(), time_limit_minutes=left)
    run = find_run(world.workspace, planned.name)
    if not cell.change:
        if deadline is not None and time.monotonic() > deadline:
            raise Interrupted("the time is over")
        evaluate(world.workspace, run, [(name, _split(world, name)) for name in SOURCES], machine, Silent())
    return run


def _by_rule(
    method: str, world: World, source: str, dataset: str, clips: Clips, label: Label
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the labelled clips, and how right a rule is that looks at no frame."""
    rows = np.flatnonzero(clips.labels[label] >= 0)
    truth = _names(world, dataset, clips, label, rows)
    if method == "chance":
        return rows, np.full(len(rows), 1 / len(_classes(world, dataset, label)))
    trained = read_clips(world.workspace, source, "train")
    learned = np.flatnonzero((trained.labels["noun"] >= 0) & (trained.labels["verb"] >= 0))
    classes = _names(world, source, trained, label, learned)
    if method == "majority":
        said = [most_frequent(classes)] * len(rows)
    else:
        nouns = _names(world, source, trained, "noun", learned)
        said = verbs_of_nouns(nouns, classes, _names(world, dataset, clips, "noun", rows))
    return rows, np.array([one == other for one, other in zip(said, truth, strict=True)])


def _classes(world: World, dataset: str, label: Label) -> list[str]:
    names: list[str] = read_classes(world.workspace, dataset, label).column("name").to_pylist()
    return [name.casefold() for name in names]


def _names(world: World, dataset: str, clips: Clips, label: Label, rows: np.ndarray) -> list[str]:
    names = _classes(world, dataset, label)
    return [names[number] for number in clips.labels[label][rows]]


def _by_scores(
    cell: Cell, world: World, encoder: str, item: EvaluateStage, label: Label
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the clips that are labelled and have their vectors, and whether each is right."""
    if cell.change:
        rows, scores = _altered_scores(cell, world, encoder, item, label)
    else:
        row_of = {clip_id: row for row, clip_id in enumerate(item.clips.clip_ids)}
        predictions = read_rows(item.folder / "predictions.parquet", ["clip_id", f"{label}_scores"])
        rows = np.array([row_of[clip_id] for clip_id in predictions.column("clip_id").to_pylist()])
        scores = predictions.column(f"{label}_scores").combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
    truth = item.clips.labels[label][rows]
    kept = truth >= 0
    return rows[kept], hits(scores[kept], truth[kept])


@torch.no_grad()
def _altered_scores(
    cell: Cell, world: World, encoder: str, item: EvaluateStage, label: Label
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the clips and float32 [M, C], scored by the trained head on what the cell alters."""
    method, text = item.head(label, _CPU)
    usable = usable_clips(item.clips, item.streams, None)
    data = ClipData(item.streams, usable, item.clips.clip_ids, None, _CPU)
    rng = np.random.default_rng(number_of(f"{cell.change}/{item.dataset}/{world.seed}"))
    if cell.change == "nonsense names":
        text = nonsense_text(encoder, text, f"{item.dataset}/{label}/{world.seed}", _real_names(world))
    if cell.change in ("mean vector", "other vector"):
        assert isinstance(method, XMIC)
        scores = scores_under(method, data, text, "mean" if cell.change == "mean vector" else "shuffled", rng)
    else:
        scores = torch.cat([method(altered_frames(batch, cell.change, rng), text) for _, batch in in_order(data)])
    return usable.rows, scores.float().numpy()


@torch.no_grad()
def _statistics(item: EvaluateStage, label: Label) -> dict[str, float]:
    """What the method says of itself, means over the test clips; ``vector_norm`` is ‖a_v‖ before the factor s."""
    method, text = item.head(label, _CPU)
    usable = usable_clips(item.clips, item.streams, None)
    data = ClipData(item.streams, usable, item.clips.clip_ids, None, _CPU)
    totals: dict[str, float] = {}
    for _, batch in in_order(data):
        assert batch.frames is not None
        for name, value in method.statistics(batch, text).items():
            totals[name] = totals.get(name, 0.0) + value * len(batch.frames) / len(data)
    scale = item.run.heads[label]["method_config"].get("scale")
    return totals if scale is None else {**totals, "scale": scale, "vector_norm": totals["xmic_norm"] / scale}


def nonsense_text(encoder: str, text: TextBank, name: str, avoid: tuple[str, ...]) -> TextBank:
    """Made-up words in the place of the class names, embedded by the same encoder.

    Args:
        encoder: its spec.
        text: the real classes.
        name: of the target, label and seed: what the words are drawn by.
        avoid: real names.
    """
    words = nonsense_names(len(text.names), number_of(f"nonsense/{name}"), avoid)
    vectors = torch.from_numpy(np.asarray(_loaded(encoder).encode_texts(words), np.float32))
    return TextBank(vectors, text.logit_scale, words)


@cache
def _loaded(encoder: str) -> Any:
    return load_encoder(encoder, precision="fp32", batch_size=16, device="cpu")


def _real_names(world: World) -> tuple[str, ...]:
    labels: tuple[Label, Label] = ("noun", "verb")
    return tuple(name for dataset in SOURCES for label in labels for name in _classes(world, dataset, label))
