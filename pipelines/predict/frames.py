"""Take frames from arrays in memory as a video."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_manifests.errors import UsageError
from pipelines.engine.atomic import replace_atomically

_TICK = Fraction(1, 1000)


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of one video as an array, in place of a file.

    Attributes:
        pictures: uint8 [T, H, W, 3], RGB, upright, T ≥ 1.
        fps: frames per second, for frames at a constant rate.
        times_s: seconds [T], increasing, in place of ``fps``. Times of clips count from the first of them. They are
            kept to the millisecond.
        name: name of the video in the answers.

    Raises:
        UsageError: another shape or type, both or none of ``fps`` and ``times_s``, or times that do not increase by a
            millisecond or more.
    """

    pictures: np.ndarray
    fps: float | None = None
    times_s: Sequence[float] | np.ndarray | None = None
    name: str = "frames"

    def __post_init__(self) -> None:
        """Check shapes, times and name."""
        if not isinstance(self.pictures, np.ndarray):
            found = type(self.pictures).__name__
            raise UsageError(f"frames: found {found}; expected a numpy array, uint8 [T, H, W, 3], RGB.")
        shape = self.pictures.shape
        if self.pictures.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise UsageError(
                f"frames: found {self.pictures.dtype} {list(shape)}; expected uint8 [T, H, W, 3], RGB, with T ≥ 1."
            )
        if (self.fps is None) == (self.times_s is None):
            raise UsageError("frames: expected one of fps (frames per second) and times_s (seconds per frame).")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise UsageError(f"frames: fps {self.fps}: expected more than 0 and at most 1000.")
        ticks = self.ticks
        if len(ticks) != len(self.pictures) or (np.diff(ticks) <= 0).any():
            raise UsageError(
                f"frames: {len(ticks)} times for {len(self.pictures)} frames; expected one per frame, each a "
                "millisecond or more after the one before."
            )
        if not self.name or Path(self.name).name != self.name or self.name.lower().endswith(".tar"):
            raise UsageError(f"frames: name {self.name!r}: expected a file name, without '/' and not of a .tar.")

    @property
    def ticks(self) -> np.ndarray:
        """Time of each frame from the first, int64 [T], milliseconds."""
        if self.fps is not None:
            return np.round(np.arange(len(self.pictures)) * 1000 / self.fps).astype(np.int64)
        seconds = np.asarray(self.times_s, np.float64)
        if seconds.ndim != 1 or not np.isfinite(seconds).all():
            raise UsageError("frames: times_s: expected finite numbers of seconds [T].")
        return np.round((seconds - seconds[:1]) * 1000).astype(np.int64)

    def write(self, folder: Path) -> Path:
        """Write the frames to a file without loss, once.

        Equal frames have one file.

        Returns:
            The file, ``<folder>/<digest>/<name>``, a Matroska file without an ending.
        """
        digest = hashlib.sha256(self.ticks.tobytes())
        digest.update(str(self.pictures.shape).encode())
        digest.update(np.ascontiguousarray(self.pictures).data)
        file = folder / digest.hexdigest()[:16] / self.name
        if not file.is_file():
            with replace_atomically(file) as temporary:
                self._encode(temporary)
        return file

    def _encode(self, file: Path) -> None:
        ticks = self.ticks
        if self.fps is not None:
            end = round(len(ticks) * 1000 / self.fps)
        else:  # the last frame is shown as long as the one before it
            end = 2 * ticks[-1] - ticks[-2] if len(ticks) > 1 else 1000
        shown = np.diff(np.append(ticks, end))
        with av.open(str(file), "w", format="matroska") as out:
            stream = out.add_stream("ffv1", rate=Fraction(self.fps or 25).limit_denominator(1000))
            stream.height, stream.width = self.pictures.shape[1:3]
            stream.pix_fmt = "bgr0"
            stream.codec_context.time_base = _TICK
            for picture, pts, duration in zip(self.pictures, ticks, shown, strict=True):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.pts, frame.time_base = int(pts), _TICK
                for packet in stream.encode(frame):
                    packet.duration = int(duration)
                    out.mux(packet)
            out.mux(stream.encode(None))
