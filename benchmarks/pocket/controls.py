"""The controls that are pure functions: random boxes, made-up names, rules, altered frames."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from benchmarks.pocket.cells import Change
from pipelines.evaluate.controls import reordered
from pipelines.methods.base import ClipBatch

_CORNERS = ("x0", "y0", "x1", "y1")
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


def frames_of(table: pa.Table) -> np.ndarray:
    """Which frame each row of a table of boxes is of, int64 [rows], counted from 0; rows of a frame stand together."""
    video = table.column("video").combine_chunks().dictionary_encode().indices.to_numpy()
    time = table.column("time_s").to_numpy()
    first = np.append(True, (video[1:] != video[:-1]) | (time[1:] != time[:-1]))
    return np.cumsum(first) - 1


def random_boxes(table: pa.Table, seed: int) -> pa.Table:
    """The same boxes elsewhere: all boxes of a frame are moved together, uniformly within the frame.

    Moved one by one, their union, which is what is cropped, would be larger than the true one.

    Args:
        table: of :func:`pocket_kitchens.box_tables.table_path`.
        seed: of the places.
    """
    frame = frames_of(table)
    starts = np.flatnonzero(np.append(True, frame[1:] != frame[:-1]))
    rng = np.random.default_rng(seed)
    moved = table
    for low_name, high_name in (("x0", "x1"), ("y0", "y1")):
        low, high = (table.column(name).to_numpy() for name in (low_name, high_name))
        least, most = -np.minimum.reduceat(low, starts), 1 - np.maximum.reduceat(high, starts)
        by = least + rng.random(len(starts)) * np.maximum(most - least, 0)
        for name, values in ((low_name, low), (high_name, high)):
            placed = np.clip(values + by[frame], 0, 1)
            column = pa.array(placed, pa.float64(), mask=np.isnan(placed))
            moved = moved.set_column(moved.column_names.index(name), name, column)
    return moved


def nonsense_names(count: int, seed: int, avoid: Iterable[str] = ()) -> list[str]:
    """Distinct pronounceable words of three syllables that are none of the words of real names.

    Args:
        count: how many.
        seed: of the words.
        avoid: real names.
    """
    taken = {word for name in avoid for word in name.casefold().split()}
    rng = np.random.default_rng(seed)
    words: list[str] = []
    while len(words) < count:
        word = "".join(str(rng.choice(list(letters))) for letters in (_CONSONANTS, _VOWELS) * 3)
        if word not in taken:
            taken.add(word)
            words.append(word)
    return words


def most_frequent(names: Sequence[str]) -> str:
    """The most frequent of the training clips' classes, the first of equally frequent ones."""
    return Counter(names).most_common(1)[0][0]


def verbs_of_nouns(nouns: Sequence[str], verbs: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The most frequent training verb of each wanted noun; of a noun never trained on, the most frequent verb of all.

    Args:
        nouns: of the training clips.
        verbs: of the same clips.
        wanted: nouns of the test clips.
    """
    of_noun: dict[str, list[str]] = defaultdict(list)
    for noun, verb in zip(nouns, verbs, strict=True):
        of_noun[noun].append(verb)
    best = {noun: most_frequent(found) for noun, found in of_noun.items()}
    rest = most_frequent(verbs)
    return [best.get(noun, rest) for noun in wanted]


def altered_frames(batch: ClipBatch, change: Change, rng: np.random.Generator) -> ClipBatch:
    """The clips with their middle frame in all segments, or in another order; the same in every stream."""
    if change in ("shuffled", "reversed"):
        return reordered(batch, change, rng)
    if change != "single frame":
        return batch
    streams = {name: x for name, x in vars(batch).items() if x is not None}
    return ClipBatch(**{name: x[:, x.shape[1] // 2 : x.shape[1] // 2 + 1].expand_as(x) for name, x in streams.items()})
