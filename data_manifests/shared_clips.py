"""Find clips that two splits of a dataset share.

A model trained on one of the splits has seen the answers of the shared clips in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.schema import SPLITS

NEEDED = ["clip_id", "video_id", "start_s", "stop_s", "start_frame", "stop_frame"]
"""The columns of :data:`data_manifests.schema.CLIPS` that are compared."""


def shared_clips(clips: Mapping[str, pa.Table]) -> dict[str, list[str]]:
    """Report per split the clips that other splits have too.

    A clip is the same where video, start and stop are equal, to a millisecond. Where there is no stop in seconds, the
    numbers of the JPEGs are compared as well.

    Args:
        clips: split → rows with the columns :data:`NEEDED`.

    Returns:
        Split → a sentence for each other split that shares clips or clip ids with it. A pair of splits is reported
        with the later of the two.
    """
    said: dict[str, list[str]] = {split: [] for split in clips}
    in_order = dict.fromkeys(split for split in (*SPLITS, *clips) if split in clips)
    for earlier, later in combinations(in_order, 2):
        said[later] += _sentences(clips[later], earlier, clips[earlier])
    return said


def _sentences(clips: pa.Table, other: str, others: pa.Table) -> list[str]:
    sentences = []
    videos = pc.unique(clips.column("video_id"))
    shared = videos.filter(pc.is_in(videos, pc.unique(others.column("video_id"))))
    there = set(_places(others, shared).values())
    same = [clip_id for clip_id, place in _places(clips, shared).items() if place in there]
    if same:
        sentences.append(
            f"{len(same)} of {clips.num_rows} clips are clips of {other} too, by video, start and stop; the first is "
            f"{same[0]}"
        )
    ids = set(others.column("clip_id").to_pylist()).difference(same)
    named = [clip_id for clip_id in clips.column("clip_id").to_pylist() if clip_id in ids]
    if named:
        sentences.append(
            f"{len(named)} of {clips.num_rows} clip ids are ids of other clips in {other}; the first is {named[0]}"
        )
    return sentences


def _places(clips: pa.Table, videos: pa.Array) -> dict[str, tuple[Any, ...]]:
    """Map clip ids to the places of the clips.

    Only clips of the given videos are mapped.
    """
    kept = clips.filter(pc.is_in(clips.column("video_id"), videos))
    clip_ids, *columns = (kept.column(name).to_pylist() for name in NEEDED)
    places = zip(*columns, strict=True)
    return {
        clip_id: (video, round(start, 3), round(stop, 3))
        if stop is not None
        else (video, round(start, 3), None, *frames)
        for clip_id, (video, start, stop, *frames) in zip(clip_ids, places, strict=True)
    }
