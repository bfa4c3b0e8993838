"""``detect-hands`` with boxes that were made elsewhere: no picture is looked at, each frame looks its boxes up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from data_manifests.errors import InputError
from pipelines.decode.stage import Decoded, decoded_shards, note_missing
from pipelines.engine.digest import digest_json
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shards import Footer, ShardWriter, read_footer, read_rows, side_path
from pipelines.engine.stage import OpenShard, Unit
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.stage import HandsStage, boxes_row

_NUMBERED = ("frames", "tar")
_BOXES_OF = "boxes of "


class NoBoxes(InputError):
    """The boxes of a video or of a frame can not be had.

    Attributes:
        reason: ``no_boxes``, ``bad_boxes``, ``wrong_frame_rate``, ``past_end`` or ``io_error``.
    """

    def __init__(self, message: str, reason: str) -> None:
        """Say what is wrong with which file, and the reason code."""
        super().__init__(message)
        self.reason = reason


class FarBoxes(NoBoxes):
    """There are boxes of a video, and none of them is of one of its decoded frames."""

    def __init__(self, message: str) -> None:
        """Say what was found where, and what was expected."""
        super().__init__(message, "no_boxes")


@dataclass(frozen=True)
class VideoFrames:
    """The decoded frames of one video.

    Attributes:
        video_id: the manifest's id.
        numbered: whether ``pts`` are the numbers of extracted JPEGs.
        duration_s: the video's length in seconds; None where nobody knows.
        pts: the key of each frame.
        time_s: seconds of each from the start of the video; None where not known.
    """

    video_id: str
    numbered: bool
    duration_s: float | None
    pts: list[int]
    time_s: list[float | None]


class BoxSource(Protocol):
    """Boxes that were made elsewhere."""

    identity: DetectorIdentity
    """Slug and provenance hold no absolute path."""

    def digest(self, video_id: str) -> str | None:
        """Digest of all it holds of a video; None when it holds nothing."""
        ...

    def boxes(self, frames: VideoFrames) -> list[list[Box] | NoBoxes | None]:
        """The boxes of each frame, or why they can not be had; None for a frame that it says nothing of.

        Raises:
            NoBoxes: nothing can be had for any frame of this video.
            InputError: it does not fit these frames at all.
        """
        ...


@dataclass
class ImportHandsStage(HandsStage):
    """Boxes of one split's frames from a source.

    Attributes:
        source: where they come from.
    """

    source: BoxSource

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of what reads the boxes."""
        return versions("numpy", "pyarrow")

    @property
    def command(self) -> str:
        """The command line that makes these shards."""
        return f"{super().command} --detector {self.identity.provenance['detector']} --boxes PATH"

    def inputs_of(self, shard: Decoded) -> dict[str, str]:
        """The frames, and what the source holds of each of their videos."""
        inputs = _frame_inputs(shard)
        for video in shard.videos:
            digest = self.source.digest(video.video_id)
            inputs[_BOXES_OF + video.video_id] = digest_json([digest, video.duration_s]) if digest else "missing"
        return inputs

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Look the boxes up, frame rows in order, and say at the end how many frames the source knows.

        Raises:
            InputError: it has boxes of these videos and knows no frame of any: their places are of another unit.
        """
        note_missing(self.frames, decoded_shards(self.frames)[1], progress)
        total = known = 0
        far: list[FarBoxes] = []
        for unit in units:
            with open_shard(unit) as shard:
                for frames in _frames_by_video(unit.payload):
                    total += len(frames.pts)
                    known += self._append(shard, frames, far, progress)
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
        """Whether any shard has: a call may be about one video alone of which there are few boxes."""
        return any(read_footer(part).rows for part in self.folder.glob("part-*.parquet"))

    def _append(self, shard: ShardWriter, frames: VideoFrames, far: list[FarBoxes], progress: Progress) -> int:
        """Write the rows of one video; how many of its frames the source knows. What is far goes into ``far``, too."""
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


def inputs_remembered(shard: Decoded, made: Footer) -> dict[str, str]:
    """The inputs of finished boxes for those who do not have what they came from: frames as they are now, boxes as
    they were then. Boxes that a detector found have no such inputs.

    Args:
        shard: the frames as they are now.
        made: the footer of their boxes.
    """
    boxes = {name: value for name, value in made.inputs.items() if name.startswith(_BOXES_OF)}
    return {**_frame_inputs(shard), **boxes} if boxes else {"frames": shard.footer.digest}


def _frame_inputs(shard: Decoded) -> dict[str, str]:
    return {"frames": shard.footer.digest, "videos": shard.footer.sides["videos"]}


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
