"""Measures steps and tests of the methods on encoders with random weights: what they cost does not depend on values."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from benchmarks.cost.names import class_names
from benchmarks.cost.plan import LIMIT_S, Step
from benchmarks.process_memory import of_status
from pipelines.embed.encoders import load_encoder
from pipelines.engine.memory import release_memory
from pipelines.methods import load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, build_method, resolve_config
from pipelines.methods.blocks import no_tf32
from pipelines.train.estimate import made_up_clips, time_steps

ENCODER, QUICK_ENCODER = "open_clip:ViT-B-16-quickgelu/random", "pocket"
"""OpenAI's CLIP ViT-B/16 (its activation is QuickGELU), never its weights; and a tiny one that comes with xmic."""

FRAMES = 16
_ROLES = {"frame_vectors": "frames", "hand_vectors": "hand", "v2_vectors": "full", "pixels": "pixels"}
_SCALE = 100.0
_TRIES, _PATIENCE_S = 5, 10.0


class Lab:
    """A device and the encoder that methods are built on.

    On the processor seconds are those of its one thread, without those in which it worked for somebody else; on CUDA
    they are the clock's.

    Args:
        encoder: its spec.
        device: 'cpu' or 'cuda'.
    """

    def __init__(self, encoder: str, device: str) -> None:
        self._device = torch.device(device)
        self._clock = time.process_time if device == "cpu" else time.monotonic
        self._encoder = load_encoder(
            encoder, precision="fp32", batch_size=1, device=device, offline=True, allow_random_weights=True
        )

    def step(self, step: Step) -> dict[str, Any]:
        """'seconds' of a training step, the median of a few, and 'bytes' that memory grows by while they are made."""
        method_class = load_method(step.method)
        overrides = {"batch": step.clips, **({"checkpointing": "on"} if step.again else {})}
        settings = resolve_config(method_class, overrides=overrides)
        method, batch, text = self._set_up(method_class, settings.config, step.clips, step.classes)
        self._warm_up()
        with no_tf32():
            before = self._memory_now()
            timed = time_steps(method, batch, text, settings.recipe, self._device, self._clock)
            peak = self._memory_peak()
        grown = None if before is None or peak is None else max(0, peak - before)
        return {"seconds": statistics.median(timed.seconds), "bytes": grown}

    def score(self, name: str, classes: int) -> dict[str, Any]:
        """A test: 'once', seconds to encode the class names under what was learned (None where no names are encoded
        again), 'clip', seconds a clip after that, and 'clips' that were scored together: as many as an evaluation
        takes, or one where those would take too long."""
        method_class = load_method(name)
        config = resolve_config(method_class).config
        together = method_class.scored_at_once
        method, batch, text = self._set_up(method_class, config, together, classes)
        one = ClipBatch(**{role: None if part is None else part[:1] for role, part in vars(batch).items()})
        once, encode_names = None, cast("Callable[[TextBank], Any] | None", getattr(method, "classifiers", None))
        with no_tf32(), torch.inference_mode():
            if encode_names is not None:
                once = self._seconds(lambda: encode_names(text), tries=1)
            seconds, clips = self._seconds(lambda: method(one, text)), 1
            if seconds * together <= LIMIT_S:
                seconds, clips = self._seconds(lambda: method(batch, text)), together
        return {"once": once, "clip": seconds / clips, "clips": clips}

    def embed(self) -> dict[str, Any]:
        """'clip', seconds in which the image tower makes the vectors of one clip's frames."""
        tower = self._encoder.visual_tower()
        pictures = made_up_clips(1, {"pixels": self._shape("pixels")}).pixels
        assert pictures is not None
        with no_tf32(), torch.inference_mode():
            offset = torch.zeros(1, 1, tower.width, device=self._device)

            def run() -> torch.Tensor:
                x = tower.stem(pictures[0].to(self._device), offset)
                for layer in tower.layers:
                    x = layer.feed(layer.attend(x, x[:, :0]))
                return tower.project(x[:, 0])

            return {"clip": self._seconds(run)}

    def _set_up(
        self, method_class: type[Method], config: Any, clips: int, classes: int
    ) -> tuple[Method, ClipBatch, TextBank]:
        needs = method_class.needed_by(config)
        encoder = self._encoder
        backbone = Backbone(
            encoder.dim,
            encoder.dim,
            _SCALE,
            encoder.text_tower() if "text_tower" in needs else None,
            encoder.visual_tower() if "pixels" in needs else None,
        )
        method = build_method(method_class, config, backbone, 0).to(self._device).eval()
        roles = [role for need, role in _ROLES.items() if need in needs]
        batch = made_up_clips(clips, {role: self._shape(role) for role in roles}).to(self._device)
        names = class_names(classes)
        vectors = torch.randn(classes, encoder.dim, generator=torch.Generator().manual_seed(1))
        return method, batch, TextBank(vectors, _SCALE, names, names).to(self._device)

    def _shape(self, role: str) -> tuple[int, ...]:
        if role != "pixels":
            return FRAMES, self._encoder.dim
        size = self._encoder.visual_tower().size
        return FRAMES, 3, size, size

    def _seconds(self, make: Callable[[], Any], tries: int = _TRIES) -> float:
        """The median of a few times, the first not counted unless it was the only one or slow."""
        found: list[float] = []
        for _ in range(tries):
            start = self._clock()
            make()
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            found.append(self._clock() - start)
            if sum(found) > _PATIENCE_S:
                break
        return statistics.median(found[1:] or found)

    def _warm_up(self) -> None:
        """A small step, so that libraries that are loaded on first use are not counted as a method's memory."""
        settings = resolve_config(load_method("xmic"))
        method, batch, text = self._set_up(load_method("xmic"), settings.config, 2, 8)
        time_steps(method, batch, text, settings.recipe, self._device)

    def _memory_now(self) -> int | None:
        """Bytes in use; the peak is counted from here on. None where the system does not tell."""
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)
            return torch.cuda.memory_allocated(self._device)
        if not sys.platform.startswith("linux"):
            return None
        # What was freed is given back, else a step that uses it again would not be seen to grow.
        release_memory()
        Path("/proc/self/clear_refs").write_text("5")
        return of_status("VmRSS")

    def _memory_peak(self) -> int | None:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return of_status("VmHWM")
