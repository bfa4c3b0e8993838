"""A cell's result: a small JSON, written once. And what is counted in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import InputError
from pipelines.atomic import replace_atomically

Part = dict[str, Any]
"""'clips', those that are 'right', and 'recordings': recording → [right, clips]."""


@dataclass(frozen=True)
class Results:
    """The results below a folder.

    Attributes:
        folder: where.
        made: what they are made under, the same for all of them: 'frozen', the hash, and 'size'.
    """

    folder: Path
    made: dict[str, Any]

    def path(self, seed: int, name: str) -> Path:
        return self.folder / f"seed-{seed}" / f"{name}.json"

    def read(self, seed: int, name: str) -> dict[str, Any] | None:
        """A result, None when it is not there.

        Raises:
            InputError: it was made under another hash or size.
        """
        file = self.path(seed, name)
        if not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for what, value in self.made.items():
            if found[what] != value:
                raise InputError(
                    f"{file}: made with {what} {found[what]}, here is {value}. Name an empty WORK or --results."
                )
        return found

    def write(self, seed: int, name: str, value: dict[str, Any]) -> None:
        file = self.path(seed, name)
        with replace_atomically(file) as temporary:
            temporary.write_text(json.dumps({**self.made, **value}, sort_keys=True) + "\n", encoding="utf-8")


def result_name(cell: str, source: str) -> str:
    return f"{source}/{cell}"


def counted(right: np.ndarray, recordings: Sequence[str]) -> Part:
    """How many clips are right, in all and by recording.

    Args:
        right: [M], 0 to 1: of a rule that draws, the chance that it is right.
        recordings: M ids.
    """
    by_recording: dict[str, list[float]] = {}
    for value, recording in zip(np.asarray(right, np.float64).tolist(), recordings, strict=True):
        counts = by_recording.setdefault(recording, [0.0, 0])
        counts[0] += value
        counts[1] += 1
    return {"clips": len(recordings), "right": float(np.sum(right)), "recordings": dict(sorted(by_recording.items()))}


def split_by_class(
    right: np.ndarray, truth: np.ndarray, recordings: Sequence[str], novel: Iterable[int]
) -> dict[str, Part]:
    """All clips of a target, and those of its shared and of its novel classes; all classes competed.

    Args:
        right: [M], 0 to 1.
        truth: [M], class indices.
        recordings: M ids.
        novel: the target's novel classes.
    """
    new = np.isin(truth, list(novel))
    parts = {"cross": np.ones(len(truth), bool), "shared": ~new, "novel": new}
    return {
        name: counted(right[kept], [recordings[row] for row in np.flatnonzero(kept).tolist()])
        for name, kept in parts.items()
    }
