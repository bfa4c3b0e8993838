"""What other people's media may ask for, and where they may lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_manifests.errors import InputError
from data_manifests.remote.path import path_of

MAX_PIXELS = 1 << 26
"""Most pixels of a frame by default: 8,192 x 8,192, twice those of 8K. In memory they are 200 MB."""


class VideoError(InputError):
    """Error of a video that cannot be read.

    Attributes:
        reason: ``not_a_video``, ``no_video_stream``, ``decode_error``, ``empty_file``, ``too_many_pixels``,
            ``outside_roots`` or ``io_error``.
    """

    def __init__(self, message: str, reason: str) -> None:
        """Keep the message and the reason code.

        The message names the file and its fault.
        """
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class MediaRules:
    """Rules that every opened video and picture must keep.

    Attributes:
        max_pixels: most pixels of a frame. A file of a few bytes can state a frame of gigabytes.
        strict: take every fault that the codec can detect as damage (see ``--strict-media``).
        roots: folders of the videos; a file outside all of them is refused. Empty: no folder is checked.
    """

    max_pixels: int = MAX_PIXELS
    strict: bool = False
    roots: tuple[str, ...] = ()

    def refuse_size(self, what: str, width: int, height: int) -> None:
        """Refuse a frame of too many pixels.

        Called before memory is taken for it.

        Raises:
            VideoError: the frame has more than ``max_pixels``.
        """
        if width * height > self.max_pixels:
            raise VideoError(
                f"{what}: its frames have {width} x {height} pixels, {width * height}; expected {self.max_pixels} at "
                f"most. If it is meant to be so large: --max-pixels {width * height}, of xmic decode and xmic prepare",
                "too_many_pixels",
            )

    def refuse_outside(self, path: Path) -> None:
        """Refuse a link that leads out of the folders of the videos.

        Raises:
            VideoError: the file lies in none of the ``roots``.
        """
        if self.leaves_roots(path):
            raise VideoError(
                f"{path} is a link to {path.resolve()}, outside the video roots {', '.join(self.roots)}. If that is "
                "meant, run the same xmic prepare again with another --videos for the folder it leads to",
                "outside_roots",
            )

    def leaves_roots(self, path: Path) -> bool:
        """Check whether a file lies outside all folders of the videos."""
        if not self.roots:
            return False
        place = path.resolve()
        return not any(place.is_relative_to(path_of(root).resolve()) for root in self.roots)


USUAL = MediaRules()
"""The rules without any option; files may lie anywhere."""
