"""``evaluate``: a run on the split it belongs to and on other datasets, with all of the target's own classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from data_manifests.errors import MissingUpstream, UsageError
from data_manifests.schema import LABELS, Label
from pipelines import stage
from pipelines.atomic import replace_atomically
from pipelines.decode.stage import DecodeStage
from pipelines.environment import versions
from pipelines.evaluate.record import metrics_of, vocabulary_of_evaluation
from pipelines.export.index import check_export
from pipelines.machine import Machine
from pipelines.methods import load_method
from pipelines.methods.base import Method, Settings, TextBank, resolve_config
from pipelines.progress import Progress, Silent
from pipelines.protocol import Protocol, on_target, vector_digests
from pipelines.shards import Layout, read_footer
from pipelines.stage import Choice, OpenShard, Unit
from pipelines.train.backbone import Towers, load_towers
from pipelines.train.data import ClipData, usable_clips
from pipelines.train.features import SplitClips, StreamVectors, read_clips
from pipelines.train.loop import load_weights
from pipelines.train.pixels import Pictures, load_pictures
from pipelines.train.run import fresh_method, load_streams, load_text, text_file
from pipelines.workspace import SPLITS, Workspace

_BATCH = 128


@dataclass(frozen=True)
class TrainedRun:
    """A run as its folder says it."""

    folder: Path
    heads: Mapping[Label, Mapping[str, Any]]
    """label → config.json"""

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration that both heads share."""
        return next(iter(self.heads.values()))

    @property
    def protocol(self) -> Protocol:
        """What it was trained under."""
        return Protocol(**self.config["protocol"])


def find_run(workspace: Workspace, name: str | None) -> TrainedRun:
    """A run by name or folder; the newest one by default.

    Raises:
        MissingUpstream: there is no such run, or no head of it is finished.
        InputError: an exported folder is not whole.
    """
    runs = workspace.root / "runs"
    folder = (
        Path(name)
        if name and (Path(name) / "noun").is_dir() | (Path(name) / "verb").is_dir()
        else runs / (name or "latest")
    )
    if not folder.is_dir():
        known = sorted(p.name for p in runs.iterdir() if p.is_dir() and not p.is_symlink()) if runs.is_dir() else []
        raise MissingUpstream(
            f"{folder}: no such run; there is {', '.join(known) or 'none'}. Run xmic train -w {workspace.root}"
        )
    check_export(folder)
    heads: dict[Label, Mapping[str, Any]] = {}
    for label in LABELS:
        if (folder / label / "summary.json").is_file():
            heads[label] = json.loads((folder / label / "config.json").read_text())
    if not heads:
        raise MissingUpstream(f"{folder}: no head of this run is finished. Run the same xmic train command again.")
    return TrainedRun(folder.resolve(), heads)


def _layout(run: TrainedRun, counts: Mapping[Label, int]) -> Layout:
    fields = [("clip_id", pa.string()), ("video_id", pa.string())]
    for label in run.heads:
        fields += [(f"{label}_class", pa.int32()), (f"{label}_scores", pa.list_(pa.float32(), counts[label]))]
    return Layout(pa.schema(fields), row_group=1024, plain=True)


@dataclass
class EvaluateStage:
    """Scores of one run on one split, one row a clip. See :class:`pipelines.stage.Stage`.

    Clips without all their vectors have no row. ``<label>_scores`` are the logits of all the target's classes.

    Attributes:
        encoder: the run's encoder again with the places of its files, where the workspace does not know them.
    """

    workspace: Workspace
    run: TrainedRun
    dataset: str
    split: str
    target: Protocol
    frames: DecodeStage
    machine: Machine
    progress: Progress
    sides: Mapping[str, Layout] = field(default_factory=dict)
    encoder: str | None = None

    name = "evaluate"
    version = 1

    @property
    def of(self) -> str:
        """The run, the dataset and the split."""
        return f"{self.run.config['name']} on {self.dataset} {self.split}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The run and the target's protocol."""
        return {
            "run": self.run.config["key"],
            "labels": list(self.run.heads),
            "protocol": self.target.as_dict(),
        }

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The run's name, for people."""
        return {"run": self.run.config["name"], "dataset": self.dataset, "split": self.split}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions and device."""
        return {**versions("torch", "numpy"), "device": self.machine.resolve_device(), "batch": _BATCH}

    @cached_property
    def counts(self) -> dict[Label, int]:
        """Classes of the target."""
        return {label: read_footer(self.workspace.classes_file(self.dataset, label)).rows for label in LABELS}

    @property
    def layout(self) -> Layout:
        """One score a class of the target."""
        return _layout(self.run, self.counts)

    @property
    def folder(self) -> Path:
        """``evaluations/<run>/<dataset>-<split>``."""
        return self.workspace.root / "evaluations" / self.run.config["name"] / f"{self.dataset}-{self.split}"

    @property
    def command(self) -> str:
        """The command line that makes it."""
        return f"xmic evaluate {self.run.config['name']} --cross {self.dataset} -w {self.workspace.root}"

    @cached_property
    def clips(self) -> SplitClips:
        """The clips of the split."""
        return read_clips(self.workspace, self.dataset, self.split)

    @cached_property
    def streams(self) -> dict[str, StreamVectors]:
        """The vectors of the split."""
        return load_streams(self.workspace, self.frames, self.target, self.clips, self.progress)

    @cached_property
    def method(self) -> tuple[type[Method], Settings]:
        """The run's method and its settings, which both heads share."""
        method_class = load_method(self.run.config["method"])
        return method_class, resolve_config(method_class, self.run.config["preset"], self.run.config["method_config"])

    @cached_property
    def towers(self) -> Towers:
        """What the method needs of the encoder itself."""
        method_class, settings = self.method
        needs = method_class.needed_by(settings.config)
        return load_towers(self.workspace, self.target, needs, self.machine, self.encoder)

    @cached_property
    def pictures(self) -> Pictures | None:
        """What the method sees of the split, where it looks at pictures."""
        workers = self.machine.workers
        return load_pictures(self.frames, self.target, self.streams, self.towers, workers, self.progress)

    def units(self) -> list[Unit]:
        """One file; it depends on the weights, the vectors, the class names and the clips."""
        inputs = {"clips": read_footer(self.workspace.manifest(self.dataset, self.split) / "clips.parquet").digest}
        inputs |= vector_digests(self.frames, self.target)
        for label in self.run.heads:
            inputs[f"{label} names"] = read_footer(text_file(self.workspace, self.dataset, self.target, label)).digest
            weights = self.run.folder / label / "weights.safetensors"
            inputs[f"{label} weights"] = self.workspace.file_digests.whole(weights)
        return [Unit("predictions", self.folder / "predictions.parquet", inputs, len(self.clips.clip_ids))]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Score every clip that has its vectors."""
        for unit in units:
            device = torch.device(self.machine.resolve_device())
            usable = usable_clips(self.clips, self.streams, None)
            data = ClipData(self.streams, usable, self.clips.clip_ids, None, device, self.pictures)
            scores = {label: self._scores(label, data, device) for label in self.run.heads}
            with open_shard(unit) as shard:
                for start in range(0, len(usable.rows), _BATCH):
                    part = slice(start, start + _BATCH)
                    shard.write(self._table(usable.rows[part], {label: s[part] for label, s in scores.items()}))
            yield unit

    def head(self, label: Label, device: torch.device) -> tuple[Method, TextBank]:
        """The trained method of a label, in evaluation mode, and the target's classes."""
        text = load_text(self.workspace, self.dataset, self.target, label, device)
        method_class, settings = self.method
        seed = self.run.config["seed"]
        method = fresh_method(method_class, settings.config, self.streams, text.logit_scale, seed, self.towers)
        load_weights(method, self.run.folder / label / "weights.safetensors")
        return method.to(device).eval(), text

    def _scores(self, label: Label, data: ClipData, device: torch.device) -> np.ndarray:
        method, text = self.head(label, device)
        scores = np.empty((len(data), len(text.names)), np.float32)
        with torch.inference_mode():
            for start in range(0, len(data), _BATCH):
                indices = np.arange(start, min(start + _BATCH, len(data)))
                scores[indices] = method(data.batch(indices, epoch=0), text).float().cpu().numpy()
        return scores

    def _table(self, rows: np.ndarray, scores: Mapping[Label, np.ndarray]) -> pa.Table:
        columns: dict[str, Any] = {
            "clip_id": [self.clips.clip_ids[row] for row in rows],
            "video_id": [self.clips.video_ids[row] for row in rows],
        }
        for label, values in scores.items():
            truth = self.clips.labels[label][rows]
            columns[f"{label}_class"] = pa.array(truth, pa.int32(), mask=truth < 0)
            flat = pa.array(np.ascontiguousarray(values).reshape(-1), pa.float32())
            columns[f"{label}_scores"] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        return pa.table(columns, schema=self.layout.schema)


def evaluate(
    workspace: Workspace,
    run: TrainedRun,
    targets: Sequence[tuple[str, str]],
    machine: Machine,
    progress: Progress,
    *,
    allow_mixed: bool = False,
    choice: Choice | None = None,
    encoder: str | None = None,
) -> list[dict[str, Any]]:
    """Score a run on each (dataset, split) and write predictions.parquet and metrics.json.

    ``encoder`` is as in :class:`EvaluateStage`.

    Returns:
        The metrics of each target, with 'made' telling whether anything was computed.

    Raises:
        MissingUpstream: a target lacks an artifact; names the command.
        InputError: a target was made otherwise than the run's data and ``allow_mixed`` is off, or another version
            of xmic wrote a class list.
    """
    _warn_of_versions(run, progress)
    results = []
    for dataset, split in targets:
        target, frames, mixed = on_target(workspace, dataset, split, run.protocol, allow_mixed=allow_mixed)
        item = EvaluateStage(workspace, run, dataset, split, target, frames, machine, progress, encoder=encoder)
        vocabulary = vocabulary_of_evaluation(item)
        report = stage.run(item, choice, progress)
        metrics = metrics_of(item, mixed, vocabulary)
        with replace_atomically(item.folder / "metrics.json") as temporary:
            temporary.write_text(json.dumps(metrics, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        results.append({**metrics, "made": report.made, "folder": str(item.folder)})
    return results


def evaluation_stage(workspace: Workspace, run: TrainedRun, dataset: str, split: str) -> EvaluateStage:
    """The stage of an evaluation that was made, for those who ask whether it is up to date."""
    target, frames, _ = on_target(workspace, dataset, split, run.protocol, allow_mixed=True)
    return EvaluateStage(workspace, run, dataset, split, target, frames, Machine(device="cpu"), Silent())


def _warn_of_versions(run: TrainedRun, progress: Progress) -> None:
    then = {name: value for name, value in run.config["versions"].items() if name != "device"}
    now = versions(*then)
    for name in then:
        if then[name] != now[name]:
            progress.note(f"warning: {run.config['name']} was trained with {name} {then[name]}, here is {now[name]}")


def targets_of(
    workspace: Workspace, run: TrainedRun, cross: Sequence[str], split: str | None
) -> tuple[list[tuple[str, str]], list[str]]:
    """The splits to evaluate on: the run's own dataset first, then each cross dataset.

    Returns:
        The (dataset, split) pairs, and notes about what can not be evaluated.

    Raises:
        UsageError: an unknown split.
        MissingUpstream: a cross dataset has no split to evaluate on.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}: expected {', '.join(SPLITS)}")
    own = run.config["source"]["dataset"]
    targets, notes = [], []
    within = workspace.evaluation_split(own, split)
    if within:
        targets.append((own, within))
    else:
        notes.append(f"{own} has no {split or 'val or test'} split: nothing to evaluate within the dataset")
    for dataset in cross:
        if dataset == own:
            continue
        found = workspace.evaluation_split(dataset, split)
        if not found:
            raise MissingUpstream(
                f"{workspace.root}: {dataset} has no prepared {split or 'val or test'} split. Run xmic prepare for it."
            )
        targets.append((dataset, found))
    return targets, notes
