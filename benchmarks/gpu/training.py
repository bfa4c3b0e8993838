"""Training steps of every method on a device: how long they take, and where the time goes.

At the sizes of CLIP ViT-B/16 on CUDA, and of the packaged encoder elsewhere, with random weights and vectors: what a
step costs does not depend on their values. Steps are those of ``xmic train``, in fp32 (without TF32) and in bf16.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.cost.measure import ENCODER, QUICK_ENCODER
from benchmarks.cost.names import class_names
from pipelines.embed.encoders import load_encoder
from pipelines.engine.progress import Silent
from pipelines.methods import METHODS, load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, build_method, resolve_config
from pipelines.methods.blocks import no_tf32, send
from pipelines.methods.recipe import Recipe
from pipelines.train.data import ClipData, GatheredClips, TrainData
from pipelines.train.features import StreamVectors
from pipelines.train.options import TrainPrecision
from pipelines.train.resident import keep_on_device
from pipelines.train.steps import Steps, autocast

_ROLES = {"frame_vectors": "frames", "hand_vectors": "hand", "v2_vectors": "full"}
_SCALE, _FRAMES, _CANDIDATES = 100.0, 16, 3
_MOST, _MARKED = 50, 5
_ROOM = 2**40
_PRECISIONS: tuple[TrainPrecision, ...] = ("fp32", "bf16")


@dataclass(frozen=True)
class Size:
    """What a step has.

    Attributes:
        encoder: whose towers are learned through.
        clips: at most so many of a method that takes vectors; its own recipe may have fewer.
        seen: the same of a method that takes pictures.
        classes: C.
        split: clips that vectors are gathered from.
    """

    encoder: str
    clips: int
    seen: int
    classes: int
    split: int


FULL = Size(ENCODER, 128, 16, 300, 4000)
SMALL = Size(QUICK_ENCODER, 8, 2, 12, 64)


def measure(device: str, seconds: float, size: Size | None = None) -> list[dict[str, Any]]:
    """A row per method and precision, then one per place that vectors are gathered from.

    A method's row: 'step', seconds per step of the training loop; 'clips_per_s'; 'gather', 'forward', 'backward' and
    'optimiser', seconds of the parts of a step, each waited for, so that their sum is more than 'step' where the device
    works while the CPU prepares; 'peak_bytes', of the device, None on a CPU.

    Args:
        device: 'cuda', 'cuda:1', 'cpu'.
        seconds: about how long it may take. A step that takes long is made twice all the same.
        size: by default FULL on CUDA and SMALL elsewhere.
    """
    where = torch.device(device)
    lab = _Lab(where, size or (FULL if where.type == "cuda" else SMALL))
    names = [name for name in METHODS if load_method(name).trains]
    share = seconds / (len(names) * len(_PRECISIONS))
    rows = []
    with no_tf32():
        for name in names:
            rows += [lab.steps(name, precision, share) for precision in _PRECISIONS]
        rows += [lab.gathering(place) for place in ("device", "memory map")]
    return rows


class _Pictures:
    """The same pictures in every batch, on the CPU, as they come from their JPEGs."""

    def __init__(self, clips: int, side: int, classes: int, device: torch.device) -> None:
        draw = torch.Generator().manual_seed(0)
        self._pixels = torch.randint(256, (clips, _FRAMES, 3, side, side), generator=draw, dtype=torch.uint8)
        self._device, self.labels = device, np.arange(clips) % classes

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        return ClipBatch(pixels=send(self._pixels[: len(indices)], self._device))


class _Lab:
    def __init__(self, device: torch.device, size: Size) -> None:
        self._device, self._size = device, size
        self._encoder = load_encoder(
            size.encoder, precision="fp32", batch_size=1, device=str(device), offline=True, allow_random_weights=True
        )
        dim, rng = self._encoder.dim, np.random.default_rng(0)
        index = np.arange(size.split * _FRAMES * _CANDIDATES, dtype=np.int32).reshape(size.split, _FRAMES, -1)
        self._streams = {
            role: StreamVectors(rng.random((index.size, dim), np.float32).astype(np.float16), index, None, {}, role)
            for role in _ROLES.values()
        }
        self._held = keep_on_device(self._streams, device, Silent(), _ROOM)
        labels = class_names(size.classes)
        vectors = torch.randn(size.classes, dim, generator=torch.Generator().manual_seed(1))
        self._text = TextBank(vectors, _SCALE, labels, labels).to(device)

    def steps(self, name: str, precision: TrainPrecision, seconds: float) -> dict[str, Any]:
        """A method's row."""
        method_class = load_method(name)
        settings = resolve_config(method_class)
        needs = method_class.needed_by(settings.config)
        pixels = "pixels" in needs
        clips = min(settings.recipe.batch, self._size.seen if pixels else self._size.clips)
        recipe = Recipe(**{**vars(settings.recipe), "batch": clips})
        towers = (
            self._encoder.text_tower() if "text_tower" in needs else None,
            self._encoder.visual_tower() if pixels else None,
        )
        dim = self._encoder.dim
        backbone = Backbone(dim, dim, _SCALE, *towers)
        method = build_method(method_class, settings.config, backbone, 0).to(self._device).train()
        data = self._data([_ROLES[need] for need in needs if need in _ROLES], towers[1].size if towers[1] else None)
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        steps = Steps(method, data, data.labels, self._text, recipe, 0, self._device, precision)
        made, step = self._pace(steps, seconds)
        parts = self._parts(method, data, precision, clips, steps.optimiser, seconds)
        return {
            "what": "step",
            "method": name,
            "precision": precision,
            "clips": clips,
            "classes": self._size.classes,
            "steps": made,
            "step": step,
            "clips_per_s": clips / step,
            **parts,
            "peak_bytes": torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None,
        }

    def gathering(self, place: str) -> dict[str, Any]:
        """Seconds of gathering a batch of two streams."""
        clips = self._clips(["hand", "full"], self._held if place == "device" else {})
        order = np.random.default_rng(0).integers(0, self._size.split, (_MARKED + 1, self._size.clips))
        found = [self._seconds(lambda own=own: clips.batch(own, 0)) for own in order]
        return {
            "what": "gather",
            "vectors": place,
            "clips": self._size.clips,
            "seconds": statistics.median(found[1:]),
        }

    def _data(self, roles: list[str], side: int | None) -> TrainData:
        if side is not None:
            return _Pictures(self._size.seen * _MOST, side, self._size.classes, self._device)
        return self._clips(roles, self._held)

    def _clips(self, roles: list[str], held: dict[str, torch.Tensor]) -> ClipData:
        rows = GatheredClips(np.arange(self._size.split), np.arange(self._size.split) % self._size.classes)
        ids = [f"clip {number}" for number in range(self._size.split)]
        return ClipData({role: self._streams[role] for role in roles}, rows, ids, 0, self._device, None, held)

    def _pace(self, steps: Steps, seconds: float) -> tuple[int, float]:
        """Steps in a row, as the training loop makes them; the first is not counted."""
        self._seconds(lambda: steps.make(0, 0))
        steps.read()
        made, start = 0, time.perf_counter()
        while made < min(_MOST, steps.per_epoch - 1) and (not made or time.perf_counter() - start < seconds):
            made += 1
            steps.make(0, made)
            if steps.due() or made == 1:
                steps.read()
        steps.read()
        return made, (time.perf_counter() - start) / made

    def _parts(
        self,
        method: Method,
        data: TrainData,
        precision: TrainPrecision,
        clips: int,
        optimiser: torch.optim.Optimizer,
        most: float,
    ) -> dict[str, float]:
        """Seconds of each part of a step, waited for."""
        found: dict[str, list[float]] = {"gather": [], "forward": [], "backward": [], "optimiser": []}
        rows = np.arange(clips)
        target = send(torch.from_numpy(np.asarray(data.labels)[rows]), self._device)
        kept: dict[str, Any] = {}

        def gather() -> None:
            kept["batch"] = data.batch(rows, 0)

        def forward() -> None:
            with autocast(self._device, precision):
                logits = method.training_logits(kept["batch"], self._text, target).float()
            kept["loss"] = F.cross_entropy(logits, target)

        def backward() -> None:
            optimiser.zero_grad(set_to_none=True)
            kept["loss"].backward()

        parts = {"gather": gather, "forward": forward, "backward": backward, "optimiser": optimiser.step}
        begun = time.perf_counter()
        for _ in range(_MARKED):
            for name, part in parts.items():
                found[name].append(self._seconds(part))
            if time.perf_counter() - begun > most:
                break
        return {name: statistics.median(of) for name, of in found.items()}

    def _seconds(self, make: Callable[[], Any]) -> float:
        start = time.perf_counter()
        make()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - start
