"""Run ``detect-hands`` with boxes that were made elsewhere.

No picture is read: the boxes of each frame are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from data_manifests.errors import InputError
from pipelines.decode.stage import Decoded
from pipelines.engine.digest import digest_json
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.engine.stage import OpenShard, Unit
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.stage import HandsStage, boxes_row

_NUMBERED = ("frames", "tar")


class NoBoxes(InputError):
    """Failure to get the boxes of a video or of a frame.

    Attributes:
        reason: ``no_boxes``, ``bad_boxes``, ``wrong_frame_rate``, ``past_end`` or ``io_error``.
    """

    def __init__(self, message: str, reason: str) -> None:
        """Name what is wrong with which file, and the reason code."""
        super().__init__(message)
        self.reason = reason


class FarBoxes(NoBoxes):
    """Failure where a video has boxes, but none at a decoded frame."""

    def __init__(self, message: str) -> None:
        """Name what was found where, and what was expected."""
        super().__init__(message, "no_boxes")


@dataclass(frozen=True)
class VideoFrames:
    """Decoded frames of one video, as a source of boxes sees them.

    Attributes:
        video_id: the manifest's id.
        numbered: whether ``pts`` are the numbers of extracted JPEGs.
        duration_s: the video's length in seconds; None where it is not known.
        pts: the key of each frame.
        time_s: time of each frame from the start of the video, in seconds; None where it is not known.
    """

    video_id: str
    numbered: bool
    duration_s: float | None
    pts: list[int]
    time_s: list[float | None]


class BoxSource(Protocol):
    """Source of boxes that were made elsewhere."""

    identity: DetectorIdentity
    """Slug and provenance hold no absolute path."""

    def digest(self, video_id: str) -> str | None:
        """Return the digest of all boxes the source has of a video.

        None when it has none.
        """
        ...

    def boxes(self, frames: VideoFrames) -> list[list[Box] | NoBoxes | None]:
        """Look up the boxes of each frame.

        Returns:
            Per frame the boxes, or the reason why they cannot be had; None for a frame of which the source says
            nothing.

        Raises:
            NoBoxes: no frame of this video can have boxes.
            InputError: the source does not fit these frames at all.
        """
        ...


@dataclass
class ImportHandsStage(HandsStage):
    """Stage that takes the boxes of one split's frames from a source.

    Attributes:
        source: the source of the boxes.
    """

    source: BoxSource

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of the libraries that read the boxes."""
        return versions("numpy", "pyarrow")

    @property
    def command(self) -> str:
        """Command line that makes these shards."""
        return f"{super().command} --detector {self.identity.provenance['detector']} --boxes PATH"

    def inputs_of(self, shard: Decoded) -> dict[str, str]:
        """Return the digests of the frames and of each video's boxes."""
        inputs = {"frames": shard.footer.digest, "videos": shard.footer.sides["videos"]}
        for video in shard.videos:
            digest = self.source.digest(video.video_id)
            inputs[f"boxes of {video.video_id}"] = digest_json([digest, video.duration_s]) if digest else "missing"
        return inputs

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Look up the boxes of all frames and write them.

        Frame rows are taken in order. The number of frames the source knows is reported at the end.

        Raises:
            InputError: the source has boxes of these videos, but knows no frame of any: their places are in another
                unit.
        """
        total = known = 0
        far: list[FarBoxes] = []
        for unit in units:
            with open_shard(unit) as shard:
                for frames in _frames_by_video(unit.payload):
                    total += len(frames.pts)
                    known += self._append(shard, frames, far, progress)
                    progress.advance(len(frames.pts))
            yield unit
        slug, place = self.identity.slug, f"{self.frames.dataset} {self.frames.split}"
        if far and not known and not self._has_rows():
            raise InputError(f"{slug}: has 0 of {total} frames of {place}. {far[0]}")
        if total:
            progress.note(
                f"{slug}: has {known} of {total} frames of {place}; other frames of the videos it has count as frames "
                "without a hand"
            )

    def _has_rows(self) -> bool:
        """Check whether any shard has rows.

        A call may be about one video alone, of which there are few boxes.
        """
        return any(read_footer(part).rows for part in self.folder.glob("part-*.parquet"))

    def _append(self, shard: ShardWriter, frames: VideoFrames, far: list[FarBoxes], progress: Progress) -> int:
        """Write the rows of one video and count the frames the source knows.

        An error about boxes far from every frame is also added to ``far``.
        """
        try:
            found = self.source.boxes(frames)
        except NoBoxes as error:
            shard.fail(error.reason, str(error), video_id=frames.video_id, rows=len(frames.pts))
            progress.note(f"{frames.video_id}: {error.reason}: {error}")
            far += [error] if isinstance(error, FarBoxes) else []
            return 0
        rows = []
        for pts, boxes in zip(frames.pts, found, strict=True):
            if isinstance(boxes, NoBoxes):
                shard.fail(boxes.reason, str(boxes), video_id=frames.video_id, pts=pts)
            else:
                rows.append(boxes_row(frames.video_id, pts, boxes or []))
        shard.write(rows)
        return sum(isinstance(boxes, list) for boxes in found)


def _frames_by_video(shard: Decoded) -> list[VideoFrames]:
    annotated = {video.video_id: video.duration_s for video in shard.videos}
    facts = read_rows(side_path(shard.path, "videos"), ["video_id", "duration_s", "read_mode"]).to_pylist()
    videos = {
        fact["video_id"]: VideoFrames(
            fact["video_id"],
            fact["read_mode"] in _NUMBERED,
            # A file that was cut off is shorter than the video; the annotation knows.
            annotated.get(fact["video_id"]) or fact["duration_s"],
            [],
            [],
        )
        for fact in facts
    }
    for row in read_rows(shard.path, ["video_id", "pts", "time_s"]).to_pylist():
        video = videos[row["video_id"]]
        video.pts.append(row["pts"])
        video.time_s.append(row["time_s"])
    return [video for video in videos.values() if video.pts]
