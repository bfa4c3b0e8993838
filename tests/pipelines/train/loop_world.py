"""What the tests of the training loop train: a small learnable world, and a program to be killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, build_method
from pipelines.methods.blocks import pool_frames
from pipelines.methods.recipe import Recipe
from pipelines.methods.xmic import XMIC, XMICConfig
from pipelines.train.loop import TrainOutcome, train_head

CLASSES, SEGMENTS, CANDIDATES, DIM = 6, 4, 3, 16
RECIPE = Recipe(epochs=3, batch=16, lr=2e-3, warmup_epochs=1)
STEPS = 4  # 56 clips in batches of 16: the last one has 8.
CPU = torch.device("cpu")
ROOT = Path(__file__).parents[3]


class MemoryClips:
    """Clips whose candidates are drawn from (seed, epoch, clip), as the real data draws them."""

    def __init__(self, frames: Tensor, labels: np.ndarray, seed: int = 0) -> None:
        self.labels, self._frames, self._seed = labels, frames, seed

    def __len__(self) -> int:
        return len(self._frames)

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        draws = [np.random.default_rng([self._seed, epoch, clip]).integers(0, CANDIDATES, SEGMENTS) for clip in indices]
        frames = self._frames[indices[:, None], np.arange(SEGMENTS), np.stack(draws)]
        return ClipBatch(frames, frames, frames)


def world(clips: int = 56, seed: int = 0) -> tuple[MemoryClips, TextBank]:
    """Clips around their class's text vector, but seen through a domain shift they all share."""
    rng = np.random.default_rng(seed)
    text = rng.standard_normal((CLASSES, DIM))
    labels = rng.integers(0, CLASSES, clips)
    shift = 1.2 * text[0]
    noise = rng.standard_normal((clips, SEGMENTS, CANDIDATES, DIM))
    frames = text[labels][:, None, None] + shift + 0.5 * noise
    names = [f"class {c}" for c in range(CLASSES)]
    return MemoryClips(torch.from_numpy(frames).float(), labels), TextBank(torch.from_numpy(text).float(), 20.0, names)


def small_xmic(seed: int = 0) -> Method:
    config = XMICConfig(segments=SEGMENTS, heads=2, bottleneck=2.0, head_ratio=2)
    return build_method(XMIC, config, Backbone(DIM, DIM, 20.0), seed=seed)


def train(folder: Path, method: Method | None = None, **options: Any) -> TrainOutcome:
    data, text = world()
    chosen = {"recipe": RECIPE, "seed": 5, "device": CPU, "label": "noun", "key": "k1", "data": data, "text": text}
    return train_head(method or small_xmic(), folder=folder, **{**chosen, **options})


def stop_before_step(number: int) -> Callable[[], str | None]:
    calls = iter(range(10**6))
    return lambda: "SIGTERM" if next(calls) == number else None


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@dataclass
class Notes:
    """Progress that remembers."""

    texts: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    started: list[tuple[str, int]] = field(default_factory=list)
    steps: int = 0
    finished: int = 0

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self.started.append((what, total))
        self.steps += done

    def advance(self, steps: int = 1) -> None:
        self.steps += steps

    def note(self, text: str) -> None:
        self.texts.append(text)

    def state(self, text: str) -> None:
        self.states.append(text)

    def finish(self) -> None:
        self.finished += 1


@dataclass(frozen=True)
class DropConfig:
    pass


class Drops(Method):
    """A method that draws random numbers in training and carries a buffer."""

    name = "drops"
    needs = frozenset({"frame_vectors", "text_vectors"})
    config = DropConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {"official": {}}

    def __init__(self, config: DropConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.map = nn.Linear(backbone.dim, backbone.dim)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        assert batch.frames is not None
        if self.training:
            self.seen += 1
        pooled = nn.functional.dropout(pool_frames(batch.frames, "raw_then_norm"), 0.5, self.training)
        return self.map(pooled) @ text.vectors.T * (1 + self.seen / 100)


if __name__ == "__main__":
    # The training that is killed: the state is saved at every step, the kill comes before one of them.
    folder, kill_at, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    asked = iter(range(10**6))

    def die() -> None:
        if next(asked) == kill_at + 1:
            os.kill(os.getpid(), signal.SIGKILL)

    train(folder, checkpoint_minutes=0.0, stop=die)
