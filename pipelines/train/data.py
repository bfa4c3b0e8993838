"""Gather batches of clips from memory-mapped vectors.

Training and evaluation read their clips here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from data_manifests.schema import Label
from pipelines.decode.plan import clip_key, draw_candidates
from pipelines.engine.clips import Clips
from pipelines.methods.base import ClipBatch
from pipelines.methods.blocks import send
from pipelines.train.features import StreamVectors
from pipelines.train.pixels import Pictures

BATCH = 128
"""Clips that are scored per batch."""


class TrainData(Protocol):
    """M labelled clips that a head is trained or measured on."""

    @property
    def labels(self) -> np.ndarray:
        """Class index of every clip, int64 [M]."""

    def __len__(self) -> int:
        """Return the number of clips, M."""

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        """Gather the vectors of some clips in an epoch.

        Equal arguments give equal vectors.

        Args:
            indices: of the clips, 0…M-1.
            epoch: from 0.
        """


def in_order(data: TrainData, filled: int | None = None) -> Iterator[tuple[np.ndarray, ClipBatch]]:
    """Iterate over all clips in order, in batches.

    The frames are those of the first epoch.

    Args:
        data: the clips.
        filled: size of every batch. The last batch is filled up by repeating its clips, so that a clip's scores are
            the same bits whatever it is scored with. None takes :data:`BATCH`, with fewer clips in the last batch.

    Yields:
        The indices of the clips, without the repeated ones, and the batch.
    """
    size = filled or BATCH
    for start in range(0, len(data), size):
        indices = np.arange(start, min(start + size, len(data)))
        yield indices, data.batch(np.resize(indices, size) if filled else indices, epoch=0)


@dataclass(frozen=True)
class GatheredClips:
    """Clips of a split that have all their vectors, for one label.

    Attributes:
        rows: int64 [m], their rows among the split's clips.
        labels: int64 [m], their class indices; −1 for clips that need no label.
    """

    rows: np.ndarray
    labels: np.ndarray

    def where(self, chosen: np.ndarray) -> GatheredClips:
        """Select the clips where ``chosen``, bool [m], is True."""
        return GatheredClips(self.rows[chosen], self.labels[chosen])


def usable_clips(clips: Clips, streams: Mapping[str, StreamVectors], label: Label | None) -> GatheredClips:
    """Select the clips that have all their vectors and a label.

    A clip needs a vector for every segment and candidate in every stream.

    Args:
        clips: the clips of the split.
        streams: role ('frames', 'hand', 'full') → vectors.
        label: the label that a clip must have; None = any clip.
    """
    complete = np.ones(len(clips.clip_ids), bool)
    for stream in streams.values():
        complete &= (stream.index >= 0).all(axis=(1, 2))
    labels = clips.labels[label] if label else np.full(len(complete), -1)
    if label:
        complete &= labels >= 0
    rows = np.flatnonzero(complete)
    return GatheredClips(rows, labels[rows])


class ClipData:
    """Batches of clips of one split.

    Args:
        streams: role → vectors of that stream.
        clips: the clips to draw from.
        clip_ids: ids of all clips of the split, for the draw.
        seed: seed of the draw; None takes the segment's centre (the middle candidate) instead.
        device: where the tensors go.
        pictures: of the classified stream, if the method takes pixels.
        held: role → the stream's whole matrix on the device; the other streams are read from their memory maps.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamVectors],
        clips: GatheredClips,
        clip_ids: list[str],
        seed: int | None,
        device: torch.device,
        pictures: Pictures | None = None,
        held: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self.labels = clips.labels
        self._streams = dict(streams)
        self._rows = clips.rows
        self._seed = seed
        self._device = device
        self._pictures = pictures
        self._held = held or {}
        self._keys = np.array([clip_key(clip_ids[row]) for row in clips.rows], np.uint64)
        shapes = [stream.index.shape[1:] for stream in streams.values()]
        self._segments, self._candidates = max(segments for segments, _ in shapes), shapes[0][1]

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self._rows)

    def batch(self, indices: np.ndarray, epoch: int) -> ClipBatch:
        """Gather clips with the frames that an epoch draws.

        Args:
            indices: of B clips, 0…m-1.
            epoch: from 0.

        Returns:
            Tensors [B, N, D] in fp32, of the same frames in every stream of frames. The clip stream gives [B, 1, D]:
            its draw has the number of the first segment's candidate. Pixels are of the same frames.

        Raises:
            InputError: a picture is damaged.
        """
        if self._seed is None:
            drawn = np.full((len(indices), self._segments), self._candidates // 2)
        else:
            drawn = draw_candidates(self._seed, epoch, self._keys[indices], self._segments, self._candidates)
        gathered = {
            role: self._gather(role, self._chosen(stream, indices, drawn)) for role, stream in self._streams.items()
        }
        pixels = None
        if self._pictures is not None:
            chosen = self._chosen(self._streams["frames"], indices, drawn)
            pixels = send(self._pictures.read(chosen), self._device)
        return ClipBatch(**{role: gathered.get(role) for role in ("frames", "hand", "full")}, pixels=pixels)

    def _chosen(self, stream: StreamVectors, indices: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Return the matrix rows [B, N] of the drawn frames; N is 1 for a clip stream."""
        segments = stream.index.shape[1]
        places = self._rows[indices][:, None], np.arange(segments)[None, :], drawn[:, :segments]
        rows: np.ndarray = stream.index[places]
        return rows

    def _gather(self, role: str, chosen: np.ndarray) -> torch.Tensor:
        """Read the vectors of matrix rows, fp32 [B, N, D]."""
        if role in self._held:
            rows = send(torch.from_numpy(chosen.reshape(-1).astype(np.int64)), self._device)
            return self._held[role].index_select(0, rows).float().unflatten(0, chosen.shape)
        matrix = self._streams[role].matrix
        vectors = torch.from_numpy(np.asarray(matrix[chosen.reshape(-1)]).reshape(*chosen.shape, -1))
        return send(vectors, self._device).to(torch.float32)


@dataclass(frozen=True)
class LoadedSplit:
    """Clips of a split with everything that a method reads of them.

    Attributes:
        clips: the clips.
        streams: role → vectors.
        pictures: of the classified stream, if the method takes pixels.
        held: role → vectors that are kept on the device.
        device: where the tensors go.
    """

    clips: Clips
    streams: Mapping[str, StreamVectors]
    pictures: Pictures | None
    held: Mapping[str, torch.Tensor]
    device: torch.device

    def data(self, chosen: GatheredClips, seed: int | None) -> ClipData:
        """Return batches of some of the clips; see :class:`ClipData`."""
        return ClipData(self.streams, chosen, self.clips.clip_ids, seed, self.device, self.pictures, self.held)
