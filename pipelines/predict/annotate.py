"""Draw answers into their videos, and write contact sheets and subtitles beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import av
import numpy as np
from av.codec.codec import Codec, UnknownCodecError
from av.video.stream import VideoStream
from PIL import Image

from data_manifests.errors import InputError
from data_manifests.schema import LABELS, Label
from pipelines.decode.container import VideoError, errors_of
from pipelines.decode.convert import RgbConverter
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.reader import open_video
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.predict.answers import Answers
from pipelines.predict.contact_sheet import ContactSheet
from pipelines.predict.fonts import without_font
from pipelines.predict.lanes import Clips, Lanes, Span, truth_of
from pipelines.predict.outline import outline
from pipelines.predict.panel import Panel
from pipelines.predict.run import EmbeddedFootage
from pipelines.predict.seen import SeenInTime
from pipelines.predict.subtitles import cues, srt, vtt

SHORT_SIDE, LEAST_SHORT_SIDE = 720, 360
"""Largest and smallest short side of a drawn picture, pixels; in less, no text can be read."""

NO_HANDS = "this run does not look at hands"

_TICK = Fraction(1, 1000)
_SHEET_QUALITY = 90
_ENCODINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": "20", "preset": "veryfast"}),
    ("mpeg4", {"qscale": "3"}),
)


def annotate(footage: EmbeddedFootage, answers: Answers, folder: Path, progress: Progress) -> list[Path]:
    """Draw every readable video, frame by frame.

    Boxes are known for the sampled frames of the run; a box is shown until the next sampled frame. Of windows that
    overlap, the probabilities are averaged.

    Args:
        footage: the videos.
        answers: the answers for all their clips.
        folder: receives the files of each video: ``<stem>.annotated.mp4`` without sound, ``<stem>.contact.jpg``,
            ``<stem>.srt`` and ``<stem>.vtt``. Videos that differ only in their ending keep it in the stem.
        progress: receives each second of video, and a note for each that cannot be read.

    Returns:
        The files that were written.
    """
    made: list[Path] = []
    for name, letters in without_font(_words(footage, answers)).items():
        progress.note(f"no font here has {_some(letters)}: drawn as boxes. Install {name}, and run the command again")
    of_video = {video_id: Clips() for video_id in footage.footage.videos}
    # All words, so that their probabilities can be averaged.
    for clip in replace(answers, top=max(map(len, answers.names.values()))):
        of_video[clip.video_id].add(clip)
    lengths = {video_id: _seconds(answers.video_facts.get(video_id)) for video_id in of_video}
    progress.start("annotate", sum(lengths.values()), "seconds")
    for video_id, path in footage.footage.videos.items():
        stem = folder / stem_of(video_id, of_video)
        try:
            facts = answers.video_facts.get(video_id)
            if facts is None:
                raise VideoError(of_video[video_id].failed or "no frame of it could be read", "decode_error")
            film = _film(footage, answers, video_id, of_video[video_id], facts)
            steps = _Steps(progress, lengths[video_id])
            made += _write(film, path, stem, steps)
            steps.to(lengths[video_id])
        except InputError as error:
            progress.note(f"{video_id}: not drawn ({error})")
    progress.finish()
    if footage.hands is None:
        progress.note(f"no hands are drawn: {NO_HANDS}")
    return made


def _words(footage: EmbeddedFootage, answers: Answers) -> Iterator[str]:
    """Yield the words that come from files and may be drawn."""
    for label in answers.names:
        yield from answers.names[label]
        yield from filter(None, (getattr(segment, label) for segment in footage.footage.truth))


def _some(letters: str, most: int = 8) -> str:
    return " ".join(letters[:most]) + (f" and {len(letters) - most} more" if len(letters) > most else "")


def stem_of(video_id: str, all_ids: Mapping[str, Any]) -> str:
    """Return the name of a video's files without their endings.

    It is the video's name without its ending, or with it where another video has the same.
    """
    bare = str(PurePosixPath(video_id).with_suffix(""))
    alike = [other for other in all_ids if str(PurePosixPath(other).with_suffix("")) == bare]
    return bare if len(alike) == 1 else video_id


def _seconds(facts: Mapping[str, Any] | None) -> int:
    return 0 if facts is None else max(1, round(facts["duration_s"]))


@dataclass
class _Steps:
    """Seconds of a video that are drawn."""

    progress: Progress
    total: int
    done: int = 0

    def to(self, time_s: float) -> None:
        """Report the seconds up to a time."""
        more = min(int(time_s), self.total) - self.done
        if more > 0:
            self.done += more
            self.progress.advance(more)


@dataclass(frozen=True)
class _Film:
    """Everything that is drawn of one video."""

    facts: Mapping[str, Any]
    lanes: Lanes
    truth: Mapping[Label, Sequence[Span]]
    seen: SeenInTime
    note: str


def _film(footage: EmbeddedFootage, answers: Answers, video_id: str, clips: Clips, facts: Mapping[str, Any]) -> _Film:
    duration = facts["duration_s"]
    known = [segment for segment in footage.footage.truth if segment.video_id == video_id]
    truth = {
        label: truth_of([(item.start_s, item.stop_s, getattr(item, label)) for item in known], duration)
        for label in LABELS
    }
    note = NO_HANDS if footage.hands is None else ""
    return _Film(facts, clips.lanes(duration, answers.none_below), truth, SeenInTime(footage, video_id), note)


def _write(film: _Film, source: Path, stem: Path, steps: _Steps) -> list[Path]:
    """Write the video and what lies beside it."""
    lines = cues(film.lanes)
    sheet = ContactSheet(film.lanes, film.truth)
    targets = {ending: stem.with_name(f"{stem.name}{ending}") for ending in (".annotated.mp4", ".contact.jpg")}
    with replace_atomically(targets[".annotated.mp4"]) as temporary:
        _draw(source, temporary, film, sheet, steps)
    written = [targets[".annotated.mp4"]]
    if sheet.pictures:
        with replace_atomically(targets[".contact.jpg"]) as temporary:
            temporary.write_bytes(to_jpeg(sheet.page(), _SHEET_QUALITY))
        written.append(targets[".contact.jpg"])
    for ending, text in ((".srt", srt(lines)), (".vtt", vtt(lines))):
        with replace_atomically(stem.with_name(f"{stem.name}{ending}")) as temporary:
            temporary.write_text(text, encoding="utf-8")
        written.append(stem.with_name(f"{stem.name}{ending}"))
    return written


def _draw(source: Path, target: Path, film: _Film, sheet: ContactSheet, steps: _Steps) -> None:
    panel: Panel | None = None
    with av.open(str(target), "w", format="mp4") as out:
        drawn: VideoStream | None = None
        for at, pts, picture, rate in _pictures(source, film.facts["first_pts"]):
            time_s = float(at * _TICK)
            steps.to(time_s)
            panel = panel or Panel(film.lanes, film.truth, (picture.shape[1], picture.shape[0]), film.note)
            # Between clips there are no sampled frames.
            seen = film.seen.at(pts) if film.lanes.at(time_s) is not None else None
            sheet.offer(time_s, picture, seen)
            if seen is not None:
                outline(picture, seen)
            page = np.concatenate([picture, panel.at(time_s, seen)])
            drawn = drawn or _stream(out, rate, page)
            shown = av.VideoFrame.from_ndarray(page, format="rgb24")
            shown.pts, shown.time_base = at, _TICK
            out.mux(drawn.encode(shown))
        if drawn is None:
            raise VideoError(f"{source}: no frame in it", "decode_error")
        out.mux(drawn.encode(None))


def _pictures(source: Path, first_pts: int) -> Iterator[tuple[int, int, np.ndarray, Fraction]]:
    """Yield time (ticks), pts, picture and frame rate of each displayed frame."""
    converter, last = RgbConverter(), -1
    with errors_of(source), open_video(source) as reader:
        rate = Fraction(reader.info.average_rate or 30).limit_denominator(100_000)
        for pts, frame in reader.play():
            if pts < first_pts:
                continue
            at = round((pts - first_pts) * reader.info.time_base / _TICK)
            if at > last:
                last = at
                yield at, pts, _even(enlarged(converter.convert(frame, SHORT_SIDE))), rate


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


def enlarged(picture: np.ndarray) -> np.ndarray:
    """Enlarge a small picture by a whole number.

    In a smaller one no text could be read.

    Args:
        picture: uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    times = -(-LEAST_SHORT_SIDE // min(height, width))
    if times == 1:
        return picture
    return np.array(Image.fromarray(picture).resize((times * width, times * height), Image.Resampling.BICUBIC))


def _even(picture: np.ndarray) -> np.ndarray:
    """Cut off an odd last row or column: yuv420p has even sides."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])
