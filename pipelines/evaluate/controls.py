"""Score a trained head on altered clips or X-MIC vectors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from data_manifests.errors import InputError
from pipelines.evaluate.options import FrameOrder, Vectors
from pipelines.methods.base import ClipBatch, TextBank
from pipelines.methods.xmic import XMIC
from pipelines.train.data import TrainData, in_order


def reordered(batch: ClipBatch, order: FrameOrder, rng: np.random.Generator) -> ClipBatch:
    """Reorder the frames of each clip, alike in every stream.

    A stream of one vector per clip stays as it is.

    Args:
        batch: B clips of N frames.
        order: backwards, or an order that is drawn for each clip.
        rng: draws the orders.
    """
    if order == "own":
        return batch
    streams = {name: x for name, x in vars(batch).items() if x is not None}
    clips, segments = len(next(iter(streams.values()))), max(x.shape[1] for x in streams.values())
    places = np.tile(np.arange(segments), (clips, 1))
    drawn = torch.from_numpy(rng.permuted(places, axis=1) if order == "shuffled" else places[:, ::-1].copy())
    rows = torch.arange(clips)[:, None]
    return ClipBatch(
        **{
            name: x[rows.to(x.device), drawn.to(x.device)] if x.shape[1] == segments else x
            for name, x in streams.items()
        }
    )


@torch.inference_mode()
def scores_under(method: XMIC, data: TrainData, text: TextBank, how: Vectors, rng: np.random.Generator) -> Tensor:
    """Compute logits [M, C] in float32 with each clip's X-MIC vector replaced.

    Args:
        method: in evaluation mode.
        data: the M clips; the mean and the exchange are over these.
        text: C classes.
        how: what replaces the vectors.
        rng: draws which other clip's vector each clip gets.

    Raises:
        InputError: there is a single clip, whose vector cannot be exchanged.
    """
    vectors = torch.cat([method.vector(batch) for _, batch in in_order(data)])
    if how == "mean":
        vectors = vectors.mean(0, keepdim=True).expand_as(vectors)
    elif how == "shuffled":
        vectors = vectors[torch.from_numpy(other_clip(len(vectors), rng)).to(vectors.device)]
    elif how == "zero":
        vectors = torch.zeros_like(vectors)
    parts = ((vectors[indices[0] : indices[-1] + 1], batch.frames) for indices, batch in in_order(data))
    scores = [method.classify(part, frames, text).float() for part, frames in parts if frames is not None]
    return torch.cat(scores)


def other_clip(clips: int, rng: np.random.Generator) -> np.ndarray:
    """Draw another clip for each clip, by one random cycle.

    Returns:
        int64 [clips]; no clip is its own.

    Raises:
        InputError: there are fewer than two clips.
    """
    if clips < 2:
        raise InputError(f"{clips} clip to score: there is no other clip to take the X-MIC vector from.")
    circle = rng.permutation(clips)
    other = np.empty(clips, np.int64)
    other[circle] = np.roll(circle, 1)
    return other
