"""Stretches of Ego4D recordings that were made blank for privacy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data_manifests.errors import InputError
from data_manifests.json_files import json_object

Stretch = tuple[float, float]
"""Where a stretch starts and ends, in seconds of the recording."""

_KEYS = ("videos", "video_uid", "redacted_intervals", "start_sec", "end_sec")


def read_redactions(file: Path) -> dict[str, list[Stretch]]:
    """Read the blank stretches of each Ego4D recording.

    Source: ``redacted_intervals`` of ``ego4d.json`` (the schema on Ego4D's documentation site).

    Returns:
        Video uid → its blank stretches, sorted and disjoint. Recordings without a stretch are left out.

    Raises:
        InputError: the file is not of that form.
    """
    # It describes every recording and every file it was made of: what is not asked for is dropped while it is read.
    content = json_object(file, lambda found: {name: found[name] for name in _KEYS if name in found})
    try:
        return {
            video["video_uid"]: _joined(
                (float(one["start_sec"]), float(one["end_sec"])) for one in video["redacted_intervals"]
            )
            for video in content["videos"]
            if video.get("redacted_intervals")
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise InputError(
            f"{file}: expected the metadata of Ego4D, 'videos' each with a 'video_uid' and 'redacted_intervals' of "
            "start_sec and end_sec. Put it right, or take it away if redactions need not be known."
        ) from None


def blank_seconds(stretches: Iterable[Stretch], start_s: float, stop_s: float) -> float:
    """Compute how many seconds of an interval are blank.

    Args:
        stretches: the blank stretches of the recording, from :func:`read_redactions`.
        start_s: start of the interval, in seconds of the recording.
        stop_s: end of the interval, in seconds of the recording.
    """
    return sum(max(0.0, min(stop_s, end) - max(start_s, start)) for start, end in stretches)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Join stretches that touch or overlap, so that no second counts twice."""
    joined: list[Stretch] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
