"""Common part of the encoders: preprocessing, batches of one shape, raw vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import normalize

from data_manifests.errors import InputError
from pipelines.embed.encoders.forward_passes import SizedByArithmetic
from pipelines.embed.encoders.spec import EncoderOptions
from pipelines.engine.batches import BatchTooLarge, in_flight
from pipelines.engine.feed import Feed, lanes_of
from pipelines.engine.memory import keep_memory

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_TIMED_PASSES = 3


class FrozenImageEncoder(SizedByArithmetic):
    """Frozen image tower that makes raw vectors.

    Args:
        forward: [B, 3, S, S] in the tower's precision → [B, D].
        transform: the encoder's own evaluation transform, PIL image → float32 [3, S, S].
        dim: D, the width of a vector.
        image_size: S, pixels.
        options: precision, batch size and device of every forward pass.
    """

    def __init__(self, forward: Any, transform: Any, dim: int, image_size: int, options: EncoderOptions) -> None:
        keep_memory()
        self.dim = dim
        self._forward, self._transform = forward, transform
        self._shape = (options.batch_size, 3, image_size, image_size)
        self._dtype, self._device = DTYPES[options.precision], torch.device(options.device)
        self._compiles = options.compiled
        self._lanes = lanes_of(self._device)
        self._feeds: dict[tuple[int, ...], Feed] = {}

    @property
    def ahead(self) -> int:
        """Number of batches to begin before taking a result."""
        return self._lanes.ahead

    def preprocess(self, picture: np.ndarray) -> Tensor:
        """Preprocess a picture by the encoder's own transform.

        Several threads call this at once: the transforms of open_clip, timm and LaViLa keep nothing between calls.

        Args:
            picture: uint8 RGB [H, W, 3].

        Returns:
            float32 [3, S, S].
        """
        tensor: Tensor = self._transform(Image.fromarray(picture))
        return tensor

    def embed(self, inputs: Sequence[Tensor]) -> np.ndarray:
        """Embed preprocessed pictures.

        Every forward pass has the same shape, so a picture's vector does not depend on how many others come
        with it.

        Returns:
            Raw vectors, float32 [n, D].

        Raises:
            BatchTooLarge: a batch does not fit into the device's memory.
        """
        return self._in_batches(inputs, self._shape)

    def begin_embed(self, inputs: Sequence[Tensor]) -> Callable[[], np.ndarray]:
        """Begin to embed up to a batch of preprocessed pictures.

        Returns:
            A function that waits for what :meth:`embed` returns.

        Raises:
            BatchTooLarge: the batch does not fit into the device's memory.
        """
        return self._begin(inputs, self._shape)

    def set_batch_size(self, size: int) -> None:
        """Change the pictures per forward pass, and free the buffers."""
        self._shape = (size, *self._shape[1:])
        self._feeds.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def pictures_per_second(self, size: int) -> float:
        """Measure the speed of forward passes of ``size`` blank pictures.

        Raises:
            BatchTooLarge: they do not fit into the device's memory.
        """
        batch = torch.zeros((size, *self._shape[1:]), device=self._device)
        self._pass(batch, self._forward).sum().item()  # the first pass is not timed
        start = time.perf_counter()
        for _ in range(_TIMED_PASSES):
            vectors = self._pass(batch, self._forward)
        vectors.sum().item()
        return _TIMED_PASSES * size / (time.perf_counter() - start)

    def refuse_silence(self, file: str) -> None:
        """Refuse weights whose vectors say nothing.

        They are zero, not finite, or the same for two unlike pictures.

        Args:
            file: where the weights come from, for the message.

        Raises:
            InputError: the image tower gives nothing.
        """
        side = self._shape[-1]
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        one, other = (vectors[0] for vectors in map(self._alone, (noise, 255 - noise)))
        if not np.isfinite([one, other]).all():
            problem = "values that are not finite"
        elif not one.any() or np.array_equal(one, other):
            problem = "zeros" if not one.any() else "the same vector for unlike pictures"
        else:
            return
        raise InputError(f"{file}: a network with these weights gives {problem}. Get the file again.")

    def _alone(self, picture: np.ndarray) -> np.ndarray:
        """Embed one picture in a forward pass of its own; float32 [1, D]."""
        return self._taken(self._pass(self.preprocess(picture)[None].to(self._device), self._forward), 1)

    def _in_batches(self, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> np.ndarray:
        """Embed inputs of shape[1:] in forward passes of ``shape``; raw vectors, float32 [n, D]."""
        starts = range(0, len(inputs), shape[0])
        begun = (self._begin(inputs[start : start + shape[0]], shape) for start in starts)
        found = list(in_flight(begun, self.ahead))
        return np.concatenate(found) if found else np.zeros((0, self.dim), np.float32)

    def _begin(self, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Callable[[], np.ndarray]:
        """Begin the forward pass of up to shape[0] inputs; the rest of the batch is zeros."""
        feed = self._feeds.get(shape)
        if feed is None:
            feed = self._feeds[shape] = Feed(self._lanes, shape, torch.float32)
        count = len(inputs)

        def fill(batch: Tensor) -> None:
            torch.stack(list(inputs), out=batch[:count])
            batch[count:].zero_()

        forward = self._compiled if self._compiles else self._forward
        return feed.begin(fill, lambda batch: self._pass(batch, forward), lambda vectors: self._taken(vectors, count))

    @cached_property
    def _compiled(self) -> Any:
        return torch.compile(self._forward, dynamic=False)

    def _pass(self, batch: Tensor, forward: Any) -> Tensor:
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            return self._run(batch, forward)

    @staticmethod
    def _taken(vectors: Tensor, count: int) -> np.ndarray:
        return vectors[:count].float().cpu().numpy()

    def _run(self, batch: Tensor, forward: Any) -> Tensor:
        try:
            vectors: Tensor = forward(batch.to(self._dtype))
        except torch.OutOfMemoryError as error:
            pictures = batch.shape[:-3].numel()
            then = f"with --batch-size {pictures // 2}" if len(batch) > 1 else "with a lower --precision"
            raise BatchTooLarge(
                f"{pictures} pictures a forward pass do not fit into the memory of {self._device}. Run the same "
                f"command {then}; shards that are done stay."
            ) from error
        return vectors


def normalised_levels(mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Normalise every level of a pixel as torchvision does.

    Returns:
        float32 [3, 256].
    """
    levels = torch.arange(256, dtype=torch.uint8).float().div(255).expand(3, 1, 256)
    return normalize(levels, list(mean), list(std)).reshape(3, 256).numpy()
