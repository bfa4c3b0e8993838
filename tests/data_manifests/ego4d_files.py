"""Writes small annotation folders in the grammar of Ego4D's long-term-anticipation files, with rows of our own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILES = {
    "train": "fho_lta_train.json",
    "val": "fho_lta_val.json",
    "test": "fho_lta_test_unannotated.json",
}
TAXONOMY = "fho_lta_taxonomy.json"
NOUNS = ["anchor", "kettle_(teapot,_kettle)", "bolt_(tool)", "rope_ladder"]
VERBS = ["lift_(raise,_hoist)", "tie"]


def entry(clip_uid: str = "clip-a", action_idx: int = 0, **changes: Any) -> dict[str, Any]:
    """One labelled segment: 8 s of a clip that is 100 to 400 s of its recording."""
    fields = {
        "video_uid": "recording-1",
        "clip_uid": clip_uid,
        "clip_parent_start_sec": 100.0,
        "clip_parent_end_sec": 400.0,
        "clip_parent_start_frame": 3000,
        "clip_parent_end_frame": 12000,
        "interval_start_frame": 3090,
        "interval_end_frame": 11910,
        "interval_start_sec": 103.0,
        "interval_end_sec": 397.0,
        "verb": VERBS[1],
        "noun": NOUNS[3],
        "action_clip_start_sec": 20.0,
        "action_clip_end_sec": 28.0,
        "action_clip_start_frame": 600,
        "action_clip_end_frame": 840,
        "action_idx": action_idx,
        "verb_label": 1,
        "noun_label": 3,
    }
    return fields | changes


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def unannotated(fields: dict[str, Any]) -> dict[str, Any]:
    """A segment as the test file has it: no labels, and the number of its clip."""
    return without(fields, "verb", "noun", "verb_label", "noun_label") | {"clip_id": 7}


def write_json(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def write_metadata(file: Path, redacted: dict[str, Sequence[tuple[float, float]]]) -> Path:
    """ego4d.json: recordings with the stretches of them that are blank."""
    videos = [
        {
            "video_uid": video_uid,
            "duration_sec": 1000.0,
            "video_metadata": {"fps": 30.0, "video_start_sec": 0.0},
            "video_components": [{"video_uid": video_uid, "redacted": bool(intervals)}],
            "has_redacted_regions": bool(intervals),
            "redacted_intervals": [
                {"start_sec": start, "end_sec": end, "start_frame": int(start * 30), "end_frame": int(end * 30)}
                for start, end in intervals
            ],
        }
        for video_uid, intervals in redacted.items()
    ]
    sets = [{"concurrent_video_set_id": 1, "videos": [{"video_uid": "recording-9", "video_start_offset_sec": 1.0}]}]
    return write_json(file, {"version": "v2", "videos": videos, "concurrent_video_sets": sets})


def write_ego4d(
    folder: Path,
    splits: dict[str, Sequence[Any]] | None = None,
    nouns: Sequence[str] = NOUNS,
    verbs: Sequence[str] = VERBS,
) -> Path:
    """An annotation folder: the taxonomy and the json of each split (val with one segment when not said)."""
    write_json(folder / TAXONOMY, {"verbs": list(verbs), "nouns": list(nouns)})
    for split, clips in (splits if splits is not None else {"val": [entry()]}).items():
        stated = "test_unannotated" if split == "test" else split
        content = {"version": "v2", "date": "230101", "description": "ours", "split": stated, "clips": list(clips)}
        write_json(folder / FILES[split], content)
    return folder
