"""Score a run on one split of one dataset.

All of the target's classes compete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import Label
from pipelines.decode.stage import DecodeStage
from pipelines.engine.clips import Clips, read_clips
from pipelines.engine.command_lines import command_line
from pipelines.engine.digest import number_of
from pipelines.engine.environment import versions
from pipelines.engine.inspection import State, inspect
from pipelines.engine.machine import Machine, device_kind
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.shards import Layout
from pipelines.engine.stage import OpenShard, Unit
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.calibration import Temperature, fit_temperatures
from pipelines.evaluate.compute_metrics import (
    Subject,
    class_counts,
)
from pipelines.evaluate.controls import reordered, scores_under
from pipelines.evaluate.current import EVALUATE, EVALUATE_VERSION, evaluation_inputs, evaluation_params
from pipelines.evaluate.metrics_file import (
    folder_name,
)
from pipelines.evaluate.options import NO_CONTROL, Control, EvaluateOptions
from pipelines.evaluate.predictions import Predictions, read_predictions
from pipelines.evaluate.predictions_file import predictions_layout, predictions_table
from pipelines.evaluate.trained import TrainedRun
from pipelines.methods import load_method
from pipelines.methods.base import Method, Settings, TextBank, resolve_config
from pipelines.methods.blocks import no_tf32
from pipelines.methods.xmic import XMIC
from pipelines.train.backbone import Towers, load_towers
from pipelines.train.data import BATCH, ClipData, in_order, usable_clips
from pipelines.train.features import StreamVectors, require_width
from pipelines.train.loop import load_weights
from pipelines.train.pixels import Pictures, load_pictures
from pipelines.train.protocol import Protocol, on_target
from pipelines.train.run import load_streams, load_text, untrained_method


@dataclass
class EvaluateStage:
    """Stage that scores one run on one split, one row per clip.

    See :class:`pipelines.engine.stage.Stage`. Clips without all their vectors have no row. ``<label>_scores`` are the
    logits of all the target's classes. With a ``control`` it is written beside the ordinary evaluation.

    Attributes:
        encoder: the run's encoder with the paths of its files, where the workspace does not know them.
    """

    workspace: Workspace
    run: TrainedRun
    dataset: str
    split: str
    target: Protocol
    frames: DecodeStage
    machine: Machine
    progress: Progress
    control: Control = NO_CONTROL
    sides: Mapping[str, Layout] = field(default_factory=dict)
    encoder: str | None = None

    name = EVALUATE
    counted = "clips"
    version = EVALUATE_VERSION

    @property
    def title(self) -> str:
        """The run, the dataset and the split."""
        return f"{self.run.config['name']} on {self.dataset} {self.split}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The run and the target's protocol."""
        return evaluation_params(self.run, self.target, self.control)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Names of the run, dataset and split, for readers."""
        return {"run": self.run.config["name"], "dataset": self.dataset, "split": self.split}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, device and clips scored at once."""
        return {
            **versions("torch", "numpy"),
            "device": device_kind(self.machine.resolve_device()),
            "batch": self.method[0].scored_at_once,
        }

    @cached_property
    def counts(self) -> dict[Label, int]:
        """Number of the target's classes, by label."""
        return class_counts(self.workspace, self.dataset)

    @property
    def layout(self) -> Layout:
        """Columns of the file, with one score per class of the target."""
        return predictions_layout(list(self.run.heads), self.counts)

    @property
    def folder(self) -> Path:
        """Folder ``evaluations/<run>/<dataset>-<split>``; of a control ``evaluations/<run>@<control>/…``."""
        name = folder_name(self.run.config["name"], self.control)
        return self.workspace.evaluation(name, self.dataset, self.split)

    @property
    def command(self) -> str:
        """Command line that makes the evaluation."""
        return self.command_in(self.workspace.root)

    def command_in(self, root: Path | None) -> str:
        """Write the command line of the evaluation, in a workspace or any."""
        options = EvaluateOptions((self.dataset,), **self.control.options)  # type: ignore[arg-type]
        return command_line("evaluate", options, self.run.config["name"], root=root)

    @cached_property
    def clips(self) -> Clips:
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
        """Opened towers of the encoder, as far as the method needs them."""
        method_class, settings = self.method
        needs = method_class.needed_by(settings.config)
        return load_towers(self.workspace, self.target, needs, self.machine, self.encoder)

    @cached_property
    def pictures(self) -> Pictures | None:
        """Frames of the split, for a method that needs pixels."""
        workers = self.machine.workers
        return load_pictures(self.frames, self.target, self.streams, self.towers, workers, self.progress)

    def units(self) -> list[Unit]:
        """Return one unit, the file of predictions.

        It depends on the weights, the vectors, the class names and the clips.
        """
        inputs = evaluation_inputs(self.workspace, self.run, self.dataset, self.split, self.target, self.frames)
        return [Unit("predictions", self.folder / "predictions.parquet", inputs, len(self.clips.clip_ids))]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Score every clip that has its vectors."""
        for unit in units:
            device = torch.device(self.machine.resolve_device())
            usable = usable_clips(self.clips, self.streams, None)
            data = ClipData(self.streams, usable, self.clips.clip_ids, None, device, self.pictures)
            count = _counter(progress, len(self.run.heads))
            scores = {label: self._scores(label, data, device, count) for label in self.run.heads}
            with open_shard(unit) as shard:
                for start in range(0, len(usable.rows), BATCH):
                    part = slice(start, start + BATCH)
                    of_part = {label: values[part] for label, values in scores.items()}
                    shard.write(predictions_table(self.clips, usable.rows[part], of_part))
            yield unit

    def head(self, label: Label, device: torch.device) -> tuple[Method, TextBank]:
        """Load a label's method, in evaluation mode, and the target's classes."""
        text = load_text(self.workspace, self.dataset, self.target, label, device)
        require_width(self.streams, text.vectors.shape[1])
        method_class, settings = self.method
        seed = self.run.config["seed"]
        method = untrained_method(method_class, settings.config, self.streams, text.logit_scale, seed, self.towers)
        load_weights(method, self.run.folder / label / "weights.safetensors")
        return method.to(device).eval(), text

    @property
    def subject(self) -> Subject:
        """Model and target of this evaluation."""
        source, zero_shot = self.run.config["source"]["dataset"], self.run.config["method"] == "zero-shot"
        return Subject(self.workspace, source, self.dataset, self.split, list(self.run.heads), zero_shot)

    @property
    def sources(self) -> list[tuple[str, Path]]:
        """Return (stage, folder) of the frames and each stream of vectors."""
        base = self.workspace.embeddings(self.dataset, self.split, self.frames.plan.slug)
        streams = sorted(set(self.target.needed.values()))
        vectors = [(f"embed {stream}", base / encoder / stream) for encoder, stream in streams]
        return [("decode", self.frames.folder), *vectors]

    def predictions(self, listed: Set[str] | None = None) -> Predictions:
        """Read the scores of all clips, or of the listed clips."""
        clips = self.clips if listed is None else self.clips.only(listed)
        counts = {label: self.counts[label] for label in self.run.heads}
        return read_predictions(self.folder / "predictions.parquet", clips, counts)

    def temperatures(self) -> dict[Label, Temperature]:
        """Fit each head's temperature on the source's val split.

        The temperature is 1 where the run has no up-to-date evaluation on that split. The evaluated split is never
        fitted on, so on the source's val split the temperature is 1 too.
        """
        own = self._source_val()
        if own is None:
            return dict.fromkeys(self.run.heads, Temperature())
        return fit_temperatures(own.predictions(), f"{own.dataset} {own.split}")

    def _source_val(self) -> EvaluateStage | None:
        """Return the run's evaluation on the val split of its own dataset, if that is up to date and not this one."""
        source = self.run.config["source"]["dataset"]
        if (self.dataset, self.split) == (source, "val") or "val" not in self.workspace.splits(source):
            return None
        try:
            target, frames, _ = on_target(self.workspace, source, "val", self.run.protocol, allow_mixed=False)
            own = replace(self, dataset=source, split="val", target=target, frames=frames)
            done = inspect(own, own.units()[0]).state is State.DONE
        except (InputError, MissingUpstream):
            return None
        return own if done else None

    def _scores(self, label: Label, data: ClipData, device: torch.device, count: Callable[[int], None]) -> np.ndarray:
        method, text = self.head(label, device)
        if self.control.vectors != "own":
            assert isinstance(method, XMIC)
            rng = np.random.default_rng(number_of(f"xmic-vector/{self.dataset}/{self.split}/{label}"))
            with no_tf32():
                return scores_under(method, data, text, self.control.vectors, rng).cpu().numpy()
        scores = np.empty((len(data), len(text.names)), np.float32)
        # The same draw for both heads: they see the same clips.
        rng = np.random.default_rng(number_of(f"frame-order/{self.dataset}/{self.split}"))
        with torch.inference_mode(), no_tf32():
            for indices, batch in in_order(data, filled=method.scored_at_once):
                shown = reordered(batch, self.control.order, rng)
                scores[indices] = method(shown, text)[: len(indices)].float().cpu().numpy()
                count(len(indices))
        return scores


def _counter(progress: Progress, heads: int) -> Callable[[int], None]:
    """Count a clip as one when every head has scored it."""
    scored = 0

    def count(clips: int) -> None:
        nonlocal scored
        before, scored = scored, scored + clips
        progress.advance(scored // heads - before // heads)

    return count


def evaluation_stage(
    workspace: Workspace, run: TrainedRun, dataset: str, split: str, control: Control = NO_CONTROL
) -> EvaluateStage:
    """Return the stage of an evaluation, to check if it is current."""
    target, frames, _ = on_target(workspace, dataset, split, run.protocol, allow_mixed=True)
    cpu = Machine(device="cpu")
    return EvaluateStage(workspace, run, dataset, split, target, frames, cpu, Silent(), control)
