"""Draw answers into their videos: hand boxes, best words and a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.codec.codec import Codec, UnknownCodecError
from av.video.stream import VideoStream

from data_manifests.errors import InputError
from pipelines.decode.container import VideoError, errors_of, open_stream
from pipelines.decode.convert import RgbConverter
from pipelines.decode.forward import play
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import Box
from pipelines.hands.stage import boxes_in_order
from pipelines.predict.answer import ClipAnswers
from pipelines.predict.answers import Answers
from pipelines.predict.panel import Panel
from pipelines.predict.run import EmbeddedFootage

SHORT_SIDE = 720
"""Largest short side of a drawn picture, pixels."""

_HAND, _OBJECT = (80, 220, 100), (250, 190, 60)
_TICK = Fraction(1, 1000)
_ENCODINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": "20", "preset": "veryfast"}),
    ("mpeg4", {"qscale": "3"}),
)


def annotate(footage: EmbeddedFootage, answers: Answers, folder: Path, progress: Progress) -> list[Path]:
    """Draw every readable video, frame by frame.

    Boxes are known for the sampled frames of the run; a box is shown until the next sampled frame.

    Args:
        footage: the videos.
        answers: the answers for all their clips.
        folder: receives the files; a video becomes ``<its name>.annotated.mp4``, without sound.
        progress: receives each video, and a note for each that cannot be read.

    Returns:
        The files that were written.
    """
    made: list[Path] = []
    of_video: dict[str, list[ClipAnswers]] = {video_id: [] for video_id in footage.footage.videos}
    for clip in answers:
        of_video[clip.video_id].append(clip)
    progress.start("annotate", len(of_video))
    for video_id, path in footage.footage.videos.items():
        target = folder / Path(video_id).parent / f"{Path(video_id).name}.annotated.mp4"
        try:
            facts = answers.video_facts.get(video_id)
            if facts is None:
                raise VideoError(of_video[video_id][0].failed or "no frame of it could be read", "decode_error")
            with replace_atomically(target) as temporary:
                _draw(path, temporary, facts, _BoxesInTime(footage, video_id), of_video[video_id])
            made.append(target)
        except InputError as error:
            progress.note(f"{video_id}: not drawn ({error})")
        progress.advance()
    progress.finish()
    return made


def _draw(
    source: Path, target: Path, facts: Mapping[str, Any], boxes: _BoxesInTime, clips: Sequence[ClipAnswers]
) -> None:
    container, stream = open_stream(source)
    stated = stream.average_rate
    rate = Fraction(stated.numerator, stated.denominator) if stated else Fraction(30)
    tick = stream.time_base or _TICK
    first_pts, last = facts["first_pts"], -1
    converter = RgbConverter()
    panel: Panel | None = None
    with container, errors_of(source), av.open(str(target), "w", format="mp4") as out:
        drawn: VideoStream | None = None
        for _, frame in play(container, stream, [], lambda: None):
            if frame.pts is None or frame.pts < first_pts:
                continue
            time_s = float((frame.pts - first_pts) * tick)
            at = round(time_s / _TICK)
            if at <= last:
                continue
            last = at
            picture = _even(converter.convert(frame, SHORT_SIDE))
            panel = panel or Panel(clips, facts["duration_s"], picture.shape[1])
            # Between clips there are no sampled frames.
            _outline(picture, boxes.at(frame.pts) if panel.current(time_s) is not None else [])
            page = np.concatenate([picture, panel.at(time_s)])
            drawn = drawn or _stream(out, rate, page)
            shown = av.VideoFrame.from_ndarray(page, format="rgb24")
            shown.pts, shown.time_base = at, _TICK
            out.mux(drawn.encode(shown))
        if drawn is None:
            raise VideoError(f"{source}: no frame in it", "decode_error")
        out.mux(drawn.encode(None))


def _stream(out: av.container.OutputContainer, rate: Fraction, page: np.ndarray) -> VideoStream:
    """Add a video stream: H.264 if this FFmpeg has an encoder for it, else MPEG-4."""
    name, options = next((name, options) for name, options in _ENCODINGS if _can_write(name))
    stream = out.add_stream(name, rate=rate, options=options)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = page.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TICK
    return stream


def _can_write(name: str) -> bool:
    try:
        return bool(Codec(name, "w").is_encoder)
    except UnknownCodecError:
        return False


def _even(picture: np.ndarray) -> np.ndarray:
    """Cut off an odd last row or column: yuv420p has even sides."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])


def _outline(picture: np.ndarray, boxes: Sequence[Box]) -> None:
    height, width = picture.shape[:2]
    for box in boxes:
        corners = (round(box.x0 * width), round(box.y0 * height)), (round(box.x1 * width), round(box.y1 * height))
        colour = _HAND if box.kind == "hand" else _OBJECT
        cv2.rectangle(picture, *corners, colour, max(2, height // 180))


class _BoxesInTime:
    """Boxes of a video's sampled frames that count for the crop, read in order of time."""

    def __init__(self, footage: EmbeddedFootage, video_id: str) -> None:
        self._rows = _boxes_of(footage.hands.folder if footage.hands else None, video_id)
        self._policy = footage.policy or CropPolicy()
        self._now: list[Box] = []
        self._next = next(self._rows, None)

    def at(self, pts: int) -> list[Box]:
        """Return the boxes of the last sampled frame up to ``pts``, which must not decrease."""
        while self._next is not None and self._next[0] <= pts:
            boxes = self._next[1]
            least = {"hand": self._policy.hand_threshold, "object": self._policy.object_threshold}
            self._now = [box for box in boxes if box.score >= least[box.kind]]
            self._next = next(self._rows, None)
        return self._now


def _boxes_of(folder: Path | None, video_id: str) -> Iterator[tuple[int, list[Box]]]:
    parts = sorted(folder.glob("part-*.parquet")) if folder is not None else []
    return ((pts, boxes) for part in parts for (video, pts), boxes in boxes_in_order(part) if video == video_id)
