"""Write a domain as EPIC-KITCHENS-100.

The files are the csv files, ``P01/videos/P01_01.MP4`` and the hand boxes.
"""

from __future__ import annotations

import csv
import math
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines.engine.atomic import replace_atomically
from pocket_kitchens.drawing.domains import Domain
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH, HandBox
from pocket_kitchens.hoa_write import encode_message
from pocket_kitchens.truth import boxes_of
from pocket_kitchens.world import PlannedVideo

ANNOTATIONS = "epic-kitchens-100-annotations"
VIDEOS = "EPIC-KITCHENS"
JPEG_RATE = 60
"""Frames per second by which annotations and boxes count, as in the videos of 2018."""

_FILES = {"train": "EPIC_100_train.csv", "test": "EPIC_100_validation.csv"}
_COLUMNS = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
).split(",")


def video_name(video: PlannedVideo) -> str:
    """Return the ``video_id`` of a video, for instance 'P01_01'."""
    return f"{participant(video)}_{video.number:02d}"


def participant(video: PlannedVideo) -> str:
    """Return the ``participant_id`` of a video, for instance 'P01'."""
    return f"P{video.person:02d}"


def noun_key(noun: str) -> str:
    """Return a noun as the dataset writes it.

    The words are reversed: 'frying pan' is 'pan:frying'.
    """
    return ":".join(reversed(noun.split(" ")))


def verb_key(verb: str) -> str:
    """Return a verb as the dataset writes it: 'pick-up'."""
    return verb.replace(" ", "-")


def video_path(video: PlannedVideo) -> str:
    """Return the path of a video below the world's folder."""
    return f"{VIDEOS}/{participant(video)}/videos/{video_name(video)}.MP4"


def write_boxes(folder: Path, video: PlannedVideo, truth: Sequence[Sequence[HandBox]], fps: int) -> None:
    """Write the hand boxes of a video, 60 messages per second.

    Args:
        folder: the world's folder.
        video: the video.
        truth: the hands of each frame.
        fps: frames per second of the video.
    """
    path = folder / VIDEOS / participant(video) / "hand-objects" / f"{video_name(video)}.pkl"
    messages = []
    for number in range(1, round(len(truth) / fps * JPEG_RATE) + 1):
        shown = min(round((number - 1) / JPEG_RATE * fps), len(truth) - 1)
        messages.append(encode_message(video_name(video), number, boxes_of(truth[shown])))
    with replace_atomically(path) as temporary:
        temporary.write_bytes(pickle.dumps(messages))


def write_annotations(folder: Path, domain: Domain, videos: Sequence[PlannedVideo]) -> None:
    """Write the class lists, the clips and the video facts.

    The clips are those of both splits.
    """
    place = folder / ANNOTATIONS
    for label, names in (("noun", domain.nouns), ("verb", domain.verbs)):
        keys = [noun_key(name) if label == "noun" else verb_key(name) for name in names]
        rows = [[number, key, repr([key]), "pocket"] for number, key in enumerate(keys)]
        _write(place / f"EPIC_100_{label}_classes.csv", ["id", "key", "instances", "category"], rows, "\r\n")
    for split, file in _FILES.items():
        clips = [row for video in videos if video.split == split for row in _rows(domain, video)]
        _write(place / file, _COLUMNS, clips)
    facts = [
        [video_name(v), sum(c.frames for c in v.clips) / domain.fps, domain.fps, f"{WIDTH}x{HEIGHT}"] for v in videos
    ]
    _write(place / "EPIC_100_video_info.csv", ["video_id", "duration", "fps", "resolution"], facts)


def _rows(domain: Domain, video: PlannedVideo) -> Iterable[list[Any]]:
    starts = video.starts(domain.fps)
    for number, (clip, start, overlap) in enumerate(zip(video.clips, starts, video.overlaps, strict=True)):
        stop = start + clip.frames / domain.fps + overlap
        noun, verb = domain.nouns.index(clip.noun), domain.verbs.index(clip.verb)
        key = noun_key(clip.noun)
        yield [
            f"{video_name(video)}_{number}",
            participant(video),
            video_name(video),
            _timestamp(start, 3),
            _timestamp(start, 2),
            _timestamp(stop, 2),
            max(1, math.floor(start * JPEG_RATE)),
            math.floor(stop * JPEG_RATE),
            f"{clip.verb} {clip.noun}",
            verb_key(clip.verb),
            verb,
            key,
            noun,
            repr([key]),
            repr([noun]),
        ]


def _timestamp(seconds: float, digits: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{rest:0{digits + 3}.{digits}f}"


def _write(file: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]], end: str = "\n") -> None:
    with replace_atomically(file) as temporary, temporary.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator=end)
        writer.writerow(columns)
        writer.writerows(rows)
