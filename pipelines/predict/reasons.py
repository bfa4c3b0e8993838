"""Find the reason why a clip of new footage has no answer."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from typing import Any


class Reasons:
    """Failures of one video, sorted for a quick look-up by clip."""

    def __init__(self, failures: Iterable[Mapping[str, Any]], facts: Mapping[str, Any] | None) -> None:
        """Sort the failures by clip and frame.

        Args:
            failures: rows of :data:`pipelines.engine.shards.FAILURES`; the first of several for a clip, a frame or the
                video counts.
            facts: the video's row of VIDEO_FACTS; None if the video could not be read, so no frame failed.
        """
        self._of_clips: dict[str, str] = {}
        self._of_video: str | None = None
        of_frames: dict[int, tuple[int, str]] = {}
        for place, row in enumerate(failures):
            text = f"{row['reason']}: {row['error']}"
            if row["clip_id"] is not None:
                self._of_clips.setdefault(row["clip_id"], text)
            if row["pts"] is not None:
                of_frames.setdefault(row["pts"], (place, text))
            elif row["clip_id"] is None and self._of_video is None:
                self._of_video = text
        instants = sorted(of_frames)
        self._frames = [of_frames[pts] for pts in instants]
        self._seconds: list[float] = []
        if facts is not None:
            tick = facts["time_base_numerator"] / facts["time_base_denominator"]
            self._seconds = [(pts - facts["first_pts"]) * tick for pts in instants]

    def of(self, clip_id: str, middle: float) -> str:
        """Return the reason why a clip has no answer.

        It is the clip's own failure, else its video's, else that of the frame nearest to the clip's middle.

        Args:
            clip_id: the clip.
            middle: of the clip, seconds from the first displayed frame.
        """
        found = self._of_clips.get(clip_id, self._of_video)
        if found is not None:
            return found
        after = bisect.bisect_left(self._seconds, middle)
        beside = range(max(after - 1, 0), min(after + 1, len(self._seconds)))
        nearest = min(((abs(self._seconds[at] - middle), *self._frames[at]) for at in beside), default=None)
        return "its frames are not all there" if nearest is None else nearest[2]
