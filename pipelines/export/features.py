"""Export a stream's vectors for other programs.

An index and a Dataset class that reads both are written beside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.decode.stage import DecodeStage
from pipelines.embed.imported import wanted_frames
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.clips import Clips, read_clips
from pipelines.engine.digest import canonical_json
from pipelines.engine.progress import Progress
from pipelines.engine.workspace import Workspace
from pipelines.train.features import StreamVectors, load_stream
from pipelines.train.protocol import ProtocolChoice, resolve

_ROWS = 65536

INDEX = pa.schema(
    [
        ("row", pa.int64()),
        ("clip_id", pa.string()),
        ("segment", pa.int16()),
        ("candidate", pa.int16()),
        ("video_id", pa.string()),
        ("time_s", pa.float64()),
        ("noun_class", pa.int32()),
        ("verb_class", pa.int32()),
    ]
)
"""Columns of the index, one row per frame of a clip. ``row`` is that of its vector, ``time_s`` NaN where the frame has
none, a class −1 where the clip has none."""

DATASET = '''\
"""What xmic export-features wrote beside this file: a vector and its row of the index at a time."""

import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file


class Features(torch.utils.data.Dataset):
    def __init__(self, folder="."):
        self.vectors = load_file(f"{folder}/vectors.safetensors")["vectors"]
        self.index = pq.read_table(f"{folder}/index.parquet").to_pylist()
    __len__ = lambda self: len(self.index)
    __getitem__ = lambda self, number: (self.vectors[self.index[number]["row"]].float(), self.index[number])
'''


@dataclass(frozen=True)
class Exported:
    """Folder and sizes of exported vectors."""

    folder: str
    vectors: int
    dim: int
    rows: int


def export_features(
    workspace: Workspace, dataset: str, split: str, choice: ProtocolChoice, folder: Path, progress: Progress
) -> Exported:
    """Write a stream's vectors with an index and a Dataset class.

    The files are ``vectors.safetensors`` (float16 [R, D], raw), ``index.parquet`` (:data:`INDEX`) and ``dataset.py``.

    Args:
        workspace: where the dataset is prepared and embedded.
        dataset: a prepared dataset.
        split: its split.
        choice: encoder, and as ``classify`` the stream, 'full' or 'hand'.
        folder: where to; files of these names are replaced.
        progress: reports the loading of the vectors.

    Raises:
        MissingUpstream, InputError: see :func:`pipelines.train.protocol.resolve`.
    """
    protocol, frames = resolve(workspace, dataset, split, choice, classify_default="full", conditioned=False)
    encoder, stream = protocol.needed["frames"]
    clips = read_clips(workspace, dataset, split)
    found = load_stream(workspace, frames, encoder, stream, clips.clip_ids, progress)
    index = _index(frames, clips, found)
    _write_vectors(folder / "vectors.safetensors", found)
    with replace_atomically(folder / "index.parquet") as temporary:
        pq.write_table(index, temporary)
    with replace_atomically(folder / "dataset.py") as temporary:
        temporary.write_text(DATASET, encoding="utf-8")
    return Exported(str(folder), len(found.matrix), found.dim, index.num_rows)


def _index(frames: DecodeStage, clips: Clips, found: StreamVectors) -> pa.Table:
    place = {clip_id: number for number, clip_id in enumerate(clips.clip_ids)}
    rows: list[dict[str, Any]] = []
    for frame in wanted_frames(frames):
        clip = place[frame["clip_id"]]
        row = int(found.index[clip, frame["segment"], frame["candidate"]])
        if row >= 0:
            classes = {f"{label}_class": int(ids[clip]) for label, ids in clips.labels.items()}
            time_s = np.nan if frame["time_s"] is None else frame["time_s"]
            rows.append({**frame, "row": row, "time_s": time_s, **classes})
    rows.sort(key=lambda row: (place[row["clip_id"]], row["segment"], row["candidate"]))
    return pa.Table.from_pylist(rows, schema=INDEX)


def _write_vectors(path: Path, found: StreamVectors) -> None:
    """Write a safetensors file as the vectors are read: they may be larger than the memory."""
    count, dim = found.matrix.shape
    tensor = {"dtype": "F16", "shape": [count, dim], "data_offsets": [0, 2 * count * dim]}
    facts = {"provenance": canonical_json(dict(found.provenance))}
    header = json.dumps({"__metadata__": facts, "vectors": tensor}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for start in range(0, count, _ROWS):
            file.write(np.ascontiguousarray(found.matrix[start : start + _ROWS]).tobytes())
