"""Write a domain as Ego4D FHO.

The files are the long-term-anticipation json files, their taxonomy, and ``clips/<uid>.mp4``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines.engine.atomic import replace_atomically
from pocket_kitchens.drawing.domains import SYNONYMS, Domain
from pocket_kitchens.world import PlannedVideo

ANNOTATIONS = "ego4d/v2/annotations"
VIDEOS = "ego4d/v2"

_FILES = {"train": "fho_lta_train.json", "test": "fho_lta_val.json"}
_STATED = {"train": "train", "test": "val"}
_RATE = 30
_PARENT_START_S = 100.0


def video_name(video: PlannedVideo) -> str:
    """Return the ``clip_uid`` of a video, the stem of its file name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"pocket/clip/{video.person}/{video.number}"))


def video_uid(video: PlannedVideo) -> str:
    """Return the ``video_uid`` of a person's recording.

    The annotations state that all files of one person are cut from that recording.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"pocket/video/{video.person}"))


def class_string(name: str) -> str:
    """Return a class as the taxonomy writes it: 'cup_(mug)'."""
    more = ",_".join(SYNONYMS.get(name, ()))
    head = name.replace(" ", "_")
    return f"{head}_({more})" if more else head


def video_path(video: PlannedVideo) -> str:
    """Return the path of a video below the world's folder."""
    return f"{VIDEOS}/clips/{video_name(video)}.mp4"


def write_annotations(folder: Path, domain: Domain, videos: Sequence[PlannedVideo]) -> None:
    """Write the taxonomy and the segments of both splits."""
    taxonomy = {"verbs": [class_string(n) for n in domain.verbs], "nouns": [class_string(n) for n in domain.nouns]}
    _write(folder / ANNOTATIONS / "fho_lta_taxonomy.json", taxonomy)
    for split, file in _FILES.items():
        clips = [row for video in videos if video.split == split for row in _segments(domain, video)]
        stated = {"version": "v2", "date": "pocket", "description": "Pocket Kitchens", "split": _STATED[split]}
        _write(folder / ANNOTATIONS / file, {**stated, "clips": clips})


def _segments(domain: Domain, video: PlannedVideo) -> Iterable[dict[str, Any]]:
    length = sum(clip.frames for clip in video.clips) / domain.fps
    parent = _PARENT_START_S * video.number
    for index, (clip, start, overlap) in enumerate(
        zip(video.clips, video.starts(domain.fps), video.overlaps, strict=True)
    ):
        stop = start + clip.frames / domain.fps + overlap
        yield {
            "video_uid": video_uid(video),
            "clip_uid": video_name(video),
            "clip_parent_start_sec": parent,
            "clip_parent_end_sec": parent + length,
            "clip_parent_start_frame": round(parent * _RATE),
            "clip_parent_end_frame": round((parent + length) * _RATE),
            "interval_start_sec": parent,
            "interval_end_sec": parent + length,
            "interval_start_frame": round(parent * _RATE),
            "interval_end_frame": round((parent + length) * _RATE),
            "verb": class_string(clip.verb),
            "noun": class_string(clip.noun),
            "action_clip_start_sec": start,
            "action_clip_end_sec": stop,
            "action_clip_start_frame": int(start * _RATE),
            "action_clip_end_frame": int(stop * _RATE),
            "action_idx": index,
            "verb_label": domain.verbs.index(clip.verb),
            "noun_label": domain.nouns.index(clip.noun),
        }


def _write(file: Path, content: Any) -> None:
    with replace_atomically(file) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
