"""Stretches of Ego4D's recordings that were made blank for privacy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data_manifests.errors import InputError
from data_manifests.json_files import json_object

Stretch = tuple[float, float]
"""Where a stretch starts and ends, in seconds of the recording."""

_KEYS = ("videos", "video_uid", "redacted_intervals", "start_sec", "end_sec")


def read_redactions(file: Path) -> dict[str, list[Stretch]]:
    """Video uid → its blank stretches, in order and apart; recordings without one are left out.

    Source: ``redacted_intervals`` of ``ego4d.json`` (the schema on Ego4D's documentation site).

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
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"{file}: expected the metadata of Ego4D, 'videos' each with a 'video_uid' and 'redacted_intervals' of "
            "start_sec and end_sec. Put it right, or take it away if redactions need not be known."
        ) from None


def blank_seconds(stretches: Iterable[Stretch], start_s: float, stop_s: float) -> float:
    """How many seconds of an interval lie in the stretches of :func:`read_redactions`."""
    return sum(max(0.0, min(stop_s, end) - max(start_s, start)) for start, end in stretches)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Those that touch or overlap made one, so that no second counts twice."""
    joined: list[Stretch] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
