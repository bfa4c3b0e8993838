"""Read numbered JPEGs or PNGs of a folder or uncompressed tar.

EPIC-KITCHENS-100 releases ``frame_0000000001.jpg``, … at 60 frames per second for the videos of 2018 and 50 for those
of 2020. Its clips are annotated with these frame numbers.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, Self

import av
import numpy as np

from data_manifests.errors import InputError
from data_manifests.remote.path import RemotePath
from data_manifests.videos import PICTURE
from pipelines.decode.convert import RgbConverter
from pipelines.decode.encode_jpeg import from_jpeg, from_png, is_png, to_jpeg
from pipelines.decode.jpeg_warnings import refused_by_ffmpeg, watched
from pipelines.decode.media_rules import USUAL, MediaRules, VideoError
from pipelines.decode.packet_index import Heartbeat
from pipelines.decode.picture_series import picture_series
from pipelines.decode.picture_size import stated_size
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.source import Failure, FrameChoice, LostFrame, StoredFrame
from pipelines.engine.clips import Clip

END_SLACK = 15
"""Frames by which an annotated number may pass the last picture and still mean it, and likewise the first.

Extractions of one video by different programs differ by up to 12 frames at the end (P01_04 has 6,308, 6,314 or 6,320).
"""

WRONG_RATE = 1.1
"""Ratio of found to expected frames per second from which on the JPEGs are those of another frame rate.

The shortest videos come to 1.01. P01_109 and P27_103, first released at 60 instead of 50 frames per second, come to
1.2.
"""

LARGEST_FILE = 256 << 20
"""Bytes of the largest picture that is read. A larger one loses its frame, not the video."""

Read = Callable[[int], bytes]


class JpegSource:
    """A :class:`pipelines.decode.source.FrameSource` for numbered JPEGs.

    The number of a JPEG is its pts.

    Args:
        path: Folder or tar of the JPEGs, for messages.
        kind: 'frames' or 'tar'.
        files: Number → name of the picture.
        read: Returns the bytes of the JPEG with a number; raises OSError.
        close: Called at the end.
        rate: Frames per second of the numbering, None where unknown.
        duration_s: Length of the video in seconds, None where unknown.
        note: What the user should know of the choice of the pictures; None where there was no choice.
        rules: What the pictures may ask for.

    Attributes:
        notes: Sentences about the pictures as a whole.
        numbers: All numbers there are.
        first: The smallest number.
        last: The largest number.
        count: Number of JPEGs.

    Raises:
        VideoError: There are no JPEGs, or they are those of another frame rate.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        files: Mapping[int, str],
        read: Read,
        close: Callable[[], None],
        rate: float | None,
        duration_s: float | None,
        note: str | None = None,
        rules: MediaRules = USUAL,
    ) -> None:
        self._rules = rules
        self._path, self._kind, self._read, self._close, self._rate = path, kind, read, close, rate
        self.numbers, self._png = frozenset(files), all(name.lower().endswith("png") for name in files.values())
        self.notes = [note] if note else []
        if not self.numbers:
            raise VideoError(
                f"{path}: no numbered JPEG or PNG in it; expected names such as frame_0000000001.jpg", "not_a_video"
            )
        self.first, self.last, self.count = min(self.numbers), max(self.numbers), len(self.numbers)
        problem = wrong_rate(self.count, rate, duration_s)
        if problem:
            raise VideoError(f"{path}: {problem}, or use the video file", "wrong_frame_rate")
        self._size: tuple[int, int] | None = None
        self._converter = RgbConverter()

    def choose(self, clip: Clip, plan: FramePlan) -> FrameChoice:
        """Choose the JPEG for each instant of the frame plan.

        Its number is ⌊start + (stop − start) · share⌋ for each share of the plan, as in Annusha/xmic.
        """
        start, stop = clip.start_frame, clip.stop_frame
        if start is None and clip.start_s == 0 and clip.stop_s is None:
            start, stop = self.first, self.last + 1
        if start is None or stop is None:
            error = f"{self._path}: the clip has times but no start_frame and stop_frame, and JPEGs are found by number"
            pts = plan.nowhere()
            return FrameChoice(pts, [Failure("no_frame_numbers", error, pts.size)])
        shares = plan.times(0.0, 1.0)
        numbers = np.floor(start + max(stop - start, 1) * shares).astype(np.int64)
        beyond = numbers > self.last + END_SLACK
        before = numbers < self.first - END_SLACK
        numbers = np.clip(numbers, self.first, self.last)
        failures = []
        for outside, where, end in (
            (beyond, "past the last one", self.last),
            (before, "before the first one", self.first),
        ):
            count = int(outside.sum())
            if count:
                numbers[outside] = NO_FRAME
                error = f"{count} of {outside.size} instants of frames {start} to {stop} are {where}, {end}"
                failures.append(Failure("past_end" if outside is beyond else "before_start", error, count))
        return FrameChoice(numbers, failures)

    def frames(self, pts: Iterable[int], plan: FramePlan) -> Iterator[StoredFrame | LostFrame]:
        """Read the pictures; scale down and encode again those too large.

        Small enough JPEGs keep their bytes. PNGs are encoded as JPEG.
        """
        for number in sorted(set(pts)):
            try:
                yield self._stored(number, plan)
            except InputError as error:
                reason = error.reason if isinstance(error, VideoError) else "decode_error"
                yield LostFrame(number, Failure(reason, f"{self._path}, frame {number}: {error}"))

    def facts(self) -> dict[str, Any]:
        """Return the known facts of the JPEGs; some need a frame read."""
        width, height = self._size or (None, None)
        return {
            "codec": "png" if self._png else "jpeg",
            "width": width,
            "height": height,
            "rotation": 0,
            "first_pts": self.first,
            "duration_s": self.count / self._rate if self._rate else None,
            "average_rate": self._rate,
            "read_mode": self._kind,
        }

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the folder or tar."""
        self._close()

    def _stored(self, number: int, plan: FramePlan) -> StoredFrame:
        if number not in self.numbers:
            raise InputError("there is no JPEG of this number, though there are later ones; get them again")
        data = self._read(number)
        png = is_png(data)
        picture = self._decoded(data, png)
        self._size = self._size or (picture.shape[1], picture.shape[0])
        too_large = 0 < plan.short_side < min(picture.shape[:2])
        if too_large:
            picture = self._converter.convert(av.VideoFrame.from_ndarray(picture, format="rgb24"), plan.short_side)
        if too_large or png:
            data = to_jpeg(picture, plan.quality)
        height, width = picture.shape[:2]
        return StoredFrame(number, (number - 1) / self._rate if self._rate else None, width, height, data)

    def _decoded(self, data: bytes, png: bool) -> np.ndarray:
        self._rules.refuse_size("the picture", *(stated_size(data) or (0, 0)))
        if png:
            return from_png(data)
        picture, warning = watched(lambda: from_jpeg(data))
        if warning is None and self._rules.strict and refused_by_ffmpeg(data):
            warning = "FFmpeg refuses it"
        if warning:
            raise InputError(f"JPEG: it is damaged ({warning}); get the picture again")
        return picture


def wrong_rate(frames: int, rate: float | None, duration_s: float | None) -> str | None:
    """Check the number of JPEGs against a video's frame rate and length.

    Args:
        frames: Number of JPEGs.
        rate: Annotated frames per second; None where unknown.
        duration_s: Annotated length in seconds; None where unknown.

    Returns:
        The error in words when there are too many JPEGs; else None, also where rate or length is unknown.
    """
    if not rate or not duration_s or frames < WRONG_RATE * rate * duration_s:
        return None
    return (
        f"{frames} frames of a video of {duration_s:.1f} s are {frames / duration_s:.1f} a second, and the annotation "
        f"numbers {rate:g} a second: its numbers would mean other frames. The first release of P01_109 and P27_103 was "
        "so; get them again with epic_downloader.py --errata"
    )


def open_jpegs(
    path: Path, rate: float | None, duration_s: float | None, heartbeat: Heartbeat, rules: MediaRules = USUAL
) -> JpegSource:
    """Open a folder or a tar of numbered JPEGs.

    Raises:
        VideoError: It cannot be read, holds no JPEG, or holds those of another frame rate.
    """
    if path.is_dir():
        files, note = _series(path, picture_names(path))
        heartbeat()

        def read(number: int) -> bytes:
            heartbeat()
            return _whole(path / files[number])

        return JpegSource(path, "frames", files, read, lambda: None, rate, duration_s, note, rules)
    file = path.open("rb")
    try:
        places = tar_places(path, file, heartbeat)
        members, note = _series(path, places)

        def read_member(number: int) -> bytes:
            heartbeat()
            start, size = places[members[number]]
            if size > LARGEST_FILE:
                raise InputError(f"the file has {size} bytes; a picture has {LARGEST_FILE} at most")
            file.seek(start)
            return file.read(size)

        return JpegSource(path, "tar", members, read_member, file.close, rate, duration_s, note, rules)
    except BaseException:
        file.close()
        raise


def _whole(file: Path) -> bytes:
    if isinstance(file, RemotePath):
        size = file.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(f"the file has {size} bytes; a picture has {LARGEST_FILE} at most")
        return file.read_bytes()
    # A link or a pipe may have taken the place of the file since the folder was listed.
    if file.is_symlink():
        raise InputError("it is a link; expected a file, so that nothing outside the folder is read")
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as opened:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise InputError("it is no file; expected a JPEG or PNG")
        if found.st_size > LARGEST_FILE:
            raise InputError(f"the file has {found.st_size} bytes; a picture has {LARGEST_FILE} at most")
        return opened.read()


def _series(path: Path, names: Iterable[str]) -> tuple[dict[int, str], str | None]:
    try:
        series = picture_series(names)
    except ValueError as error:
        raise VideoError(f"{path}: {error}", "ambiguous_pictures") from None
    return series.files, series.note


def picture_names(folder: Path) -> list[str]:
    """List the numbered pictures of a folder.

    Links are left out: they could lead anywhere. Folders and pipes are no pictures.
    """
    if isinstance(folder, RemotePath):
        return [file.name for file in folder.iterdir() if file.is_file() and PICTURE.fullmatch(file.name)]
    with os.scandir(folder) as entries:
        files = (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        return [name for name in files if PICTURE.fullmatch(name)]


def tar_places(path: Path, file: BinaryIO, heartbeat: Heartbeat) -> dict[str, tuple[int, int]]:
    """Find the numbered pictures of a tar without extracting them.

    Returns:
        Name of the member → (offset, size) in bytes; of members of one name the last counts, as when it is extracted.

    Raises:
        VideoError: The file is no tar, or a compressed one, or cut off.
    """
    places: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                heartbeat()
                name = PurePosixPath(member.name)
                if PICTURE.fullmatch(name.name) and member.isreg():
                    places[str(name)] = member.offset_data, member.size
                archive.members = []  # type: ignore[attr-defined]  # it would remember all of 200,000 members
    except tarfile.TarError as error:
        raise VideoError(
            f"{path}: not a whole uncompressed tar ({error}); uncompress it, or get it again", "not_a_video"
        ) from None
    return places
