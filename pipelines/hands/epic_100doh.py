"""Read the 100DOH boxes that EPIC-KITCHENS-100 releases.

They are files ``hand-objects/PXX/PXX_YY.pkl`` with one message per JPEG frame.

Each file is a pickled list of bytes. A pickle can name any function and have it called, so these are read by an
unpickler that knows no name at all.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from data_manifests.errors import InputError
from data_manifests.readers.epic import jpeg_rate
from data_manifests.videos import LeavesRoots, Place, VideoFinder
from pipelines.decode.jpeg_source import END_SLACK, wrong_rate
from pipelines.engine.digest import whole_file_sha256
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.hoa_message import decode_message
from pipelines.hands.imported import NoBoxes, VideoFrames

PLACES = (
    "hand-objects/{participant}/{video}.pkl",
    "{participant}/hand-objects/{video}.pkl",
    "EPIC-KITCHENS/{participant}/hand-objects/{video}.pkl",
    "{participant}/{video}.pkl",
    "{video}.pkl",
)
"""Paths of a file below the folder: on data.bris, as epic_downloader.py lays them out, and in copies of them."""

_VIDEO_ID = re.compile(r"(P\d{2})_\d{2,3}")


class Epic100doh:
    """Released 100DOH boxes, a :class:`pipelines.hands.imported.BoxSource`.

    Entry i of a file is JPEG i + 1. A frame of a video file takes the entry that shows its time, at the rate of
    the released JPEGs (:func:`data_manifests.readers.epic.jpeg_rate`).

    Args:
        root: the folder above :data:`PLACES`; a link that leads out of it is not followed.
        file_sha256: returns the sha256 of a file; may remember it.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, root: Path, file_sha256: Callable[[Path], str] = whole_file_sha256) -> None:
        if not root.is_dir():
            raise InputError(
                f"--boxes {root}: no such folder; expected the one that holds hand-objects/P01/P01_01.pkl, or "
                "P01/hand-objects/P01_01.pkl as epic_downloader.py lays them out."
            )
        self._root = root
        self._finder = VideoFinder([root])
        self._file_sha256 = file_sha256
        self.identity = DetectorIdentity("epic-100doh", {"detector": "epic-100doh"}, {})

    def digest(self, video_id: str) -> str | None:
        """Return the sha256 of the video's file.

        None when the video has no file.
        """
        try:
            return self._file_sha256(self._file(video_id))
        except NoBoxes:
            return None

    def boxes(self, frames: VideoFrames) -> list[list[Box] | NoBoxes | None]:
        """Look up the boxes of each frame.

        Only the messages of these frames are decoded.

        Raises:
            NoBoxes: the video has no file, or one that is broken, of another video or of another frame rate.
        """
        file = self._file(frames.video_id)
        try:
            messages = read_messages(file)
        except OSError as error:
            raise NoBoxes(f"{file}: {error.strerror or error}", "io_error") from None
        except InputError as error:
            raise NoBoxes(str(error), "bad_boxes") from None
        rate = jpeg_rate(frames.video_id)
        problem = wrong_rate(len(messages), rate, frames.duration_s)
        if problem:
            raise NoBoxes(f"{file}: {problem}", "wrong_frame_rate")
        numbers = frames.pts if frames.numbered else [_number(frames.video_id, t, rate) for t in frames.time_s]
        return [_of_frame(file, messages, frames.video_id, number) for number in numbers]

    def _file(self, video_id: str) -> Path:
        match = _VIDEO_ID.fullmatch(video_id)
        if not match:
            raise NoBoxes(f"{video_id!r} is no video of EPIC-KITCHENS (P01_01 or P01_101)", "no_boxes")
        places = [Place(place.format(participant=match[1], video=video_id)) for place in PLACES]
        try:
            found = self._finder.find(places)
        except LeavesRoots:
            raise NoBoxes(f"{self._root}: the file of {video_id} is a link that leads out of it", "no_boxes") from None
        if found is None:
            raise NoBoxes(f"{self._root}: no {video_id}.pkl in it; looked for {places[0].path}, …", "no_boxes")
        return found.path


def read_messages(file: Path) -> list[bytes]:
    """Read the messages of a file, without decoding them.

    Returns:
        Entry i is the message of frame i + 1.

    Raises:
        InputError: the file is not a pickle, names anything beyond plain values, or is not a list of bytes.
    """
    data = file.read_bytes()
    try:
        messages = _NoNames(io.BytesIO(data)).load()
    # A hostile pickle can make the unpickler fail in any way; none of them may look like a bug of ours.
    except Exception as error:
        raise InputError(f"{file}: refused ({error or type(error).__name__}). {_EXPECTED}") from None
    if type(messages) is not list:
        raise InputError(f"{file}: holds a {type(messages).__name__}. {_EXPECTED}")
    for index, message in enumerate(messages):
        if type(message) is not bytes:
            raise InputError(f"{file}: entry {index} is a {type(message).__name__}. {_EXPECTED}")
    return messages


_EXPECTED = "Expected the pickled list of bytes that EPIC-KITCHENS-100 releases as hand-objects/PXX/PXX_YY.pkl."


class _NoNames(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}, which could run code from the file")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def _number(video_id: str, time_s: float | None, rate: float) -> int:
    if time_s is None:
        raise NoBoxes(f"{video_id}: its frames have neither a number nor a time", "no_boxes")
    return round(time_s * rate) + 1


def _of_frame(file: Path, messages: list[bytes], video_id: str, number: int) -> list[Box] | NoBoxes:
    """Return the boxes of JPEG ``number``.

    Raises:
        NoBoxes: the entry is of another video or frame, so no other entry can be trusted.
    """
    # Extractions of one video by different programs end a few frames apart; a little past the end is the end.
    if number > len(messages) + END_SLACK or not messages:
        return NoBoxes(f"{file}: frame {number} is past its last one, {len(messages)}", "past_end")
    entry = min(max(number, 1), len(messages))
    try:
        found = decode_message(messages[entry - 1])
    except InputError as error:
        return NoBoxes(f"{file}, frame {entry}: {error}", "bad_boxes")
    if (found.video_id, found.frame_number) != (video_id, entry):
        raise NoBoxes(
            f"{file}: entry {entry - 1} is frame {found.frame_number} of {found.video_id!r}, expected frame {entry} of "
            f"{video_id!r}",
            "bad_boxes",
        )
    return found.boxes
