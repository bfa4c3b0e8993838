"""Choose the instants of a clip, and the frame nearest to each.

No video is opened here. X-MIC (Kukleva et al., CVPR 2024) takes 16 random frames per clip. Its code (Annusha/xmic)
draws one in each of 16 equal segments in training, and takes the centres of the segments in evaluation. A frame plan
fixes the instants beforehand: ``candidates`` evenly spaced instants in every segment. Training draws one of them per
segment and epoch by a stateless hash. So every frame is decoded once, and no sampling state is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from data_manifests.errors import InputError, UsageError
from pipelines.engine.digest import number_of

# Two float64 instants computed in different ways differ by far less, two frames of a video by far more.
TIE_S = 1e-9

NO_FRAME = int(np.iinfo(np.int64).min)
"""The pts in place of a frame that a source does not have."""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class FramePlan:
    """Number of frames per clip, with the size and JPEG quality.

    Attributes:
        segments: Number of equal segments of a clip (16 in the paper).
        candidates: Number of evenly spaced instants in every segment; 1 is the centre alone.
        short_side: Short side of a stored frame in pixels, never upscaled; 0 keeps the native size.
        quality: JPEG quality, 1 to 100.

    Raises:
        UsageError: A value is out of its range.
    """

    segments: int = 16
    candidates: int = 1
    short_side: int = 256
    quality: int = 95

    def __post_init__(self) -> None:
        """Check the ranges of the values."""
        limits = {
            "segments": (1, None),
            "candidates": (1, None),
            "short_side": (0, None),
            "quality": (1, 100),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < low or (high is not None and value > high):
                expected = f"a whole number from {low} to {high}" if high else f"a whole number, {low} or more"
                raise UsageError(f"frame plan: {name} is {value!r}; expected {expected}")
        if 0 < self.short_side < 16:
            raise UsageError(
                f"frame plan: short_side is {self.short_side} pixels; expected 16 or more, or 0 for the native size"
            )

    @property
    def slug(self) -> str:
        """Folder name of the plan, such as ``seg16-k3-256px-q95`` or ``seg16-k1-native-q95``."""
        size = f"{self.short_side}px" if self.short_side else "native"
        return f"seg{self.segments}-k{self.candidates}-{size}-q{self.quality}"

    @property
    def centre_candidate(self) -> int | None:
        """Index of the candidate at a segment's centre; None without one.

        There is none when ``candidates`` is even.
        """
        return self.candidates // 2 if self.candidates % 2 else None

    def times(self, start_s: float, stop_s: float) -> np.ndarray:
        """Compute the instants to sample in a clip.

        They lie at (j + 1/2) / k of every segment, j = 0 .. k - 1, for k candidates.

        Args:
            start_s: Start of the clip in seconds, counted from the video's first displayed frame.
            stop_s: End of the clip in seconds (excluded).

        Returns:
            float64 ``[segments, candidates]``, in seconds, ascending in C order, inside [start_s, stop_s).

        Raises:
            InputError: The interval is empty, negative or not finite.
        """
        if not (math.isfinite(start_s) and math.isfinite(stop_s)) or start_s < 0 or stop_s <= start_s:
            raise InputError(
                f"clip from {start_s} s to {stop_s} s: expected 0 <= start < stop in seconds; "
                "correct the clip's row or leave it out"
            )
        count = self.segments * self.candidates
        share = (np.arange(count, dtype=np.float64) + 0.5) / count
        # In a clip a few float steps long the sum would round up to its excluded end.
        inside = np.minimum(start_s + (stop_s - start_s) * share, np.nextafter(stop_s, -np.inf))
        return inside.reshape(self.segments, self.candidates)

    def nowhere(self) -> np.ndarray:
        """Return the choice where no instant has a frame.

        Returns:
            int64 ``[segments, candidates]``, :data:`NO_FRAME` everywhere.
        """
        return np.full((self.segments, self.candidates), NO_FRAME)


def clip_key(clip_id: str) -> int:
    """Compute the 64-bit key of a clip in the random draws.

    It is the first 8 bytes of the id's sha256, big endian.
    """
    return number_of(clip_id)


def draw_candidates(seed: int, epoch: int, clip_keys: np.ndarray, segments: int, candidates: int) -> np.ndarray:
    """Draw the training candidate for each clip and segment of an epoch.

    The draw is a hash of (seed, epoch, clip, segment) only. It depends neither on the other clips nor on their order.
    So a resumed or differently batched run draws the same frames. The hash is splitmix64 (Steele, Lea and Flood, OOPSLA
    2014), applied once for each of its four inputs.

    Args:
        seed: Seed of the run.
        epoch: Epoch, counted from 0.
        clip_keys: uint64 ``[C]`` from :func:`clip_key`.
        segments: Number of segments of the plan.
        candidates: Number of candidates of the plan.

    Returns:
        int64 ``[C, segments]`` of candidate indices in [0, candidates), uniform.

    Raises:
        UsageError: ``segments`` or ``candidates`` is below 1, or more than 2^32 candidates.
    """
    if segments < 1 or not 1 <= candidates <= 1 << 32:
        raise UsageError(f"draw of 1 of {candidates} candidates in {segments} segments: expected both 1 or more")
    state = _splitmix64(np.array([seed & _MASK], dtype=np.uint64))
    state = _splitmix64(state ^ np.array([epoch & _MASK], dtype=np.uint64))
    per_clip = _splitmix64(state ^ np.asarray(clip_keys, dtype=np.uint64))
    hashed = _splitmix64(per_clip[:, None] ^ np.arange(segments, dtype=np.uint64)[None, :])
    # The high half times k, shifted back: uniform without the bias of a modulo.
    return (((hashed >> np.uint64(32)) * np.uint64(candidates)) >> np.uint64(32)).astype(np.int64)


def _splitmix64(state: np.ndarray) -> np.ndarray:
    mixed = state + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def nearest_pts(
    frame_pts: np.ndarray,
    time_base: Fraction,
    first_pts: int,
    times: np.ndarray,
    lone_frame_s: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the frame nearest to each instant by its pts.

    Of two frames at the same distance, the earlier one is taken. So a frame covers all instants within half the gap to
    its neighbour on either side, however uneven the gaps are. No frame rate is used.

    The last frame lasts as long as the gap before it. An instant past its end by less than that gap still gets the last
    frame; a later one is past the end.

    Args:
        frame_pts: int64 ``[M]``, strictly ascending pts of the displayed frames, M >= 1.
        time_base: Seconds per pts tick.
        first_pts: The pts of t = 0.
        times: float64 of any shape, seconds from ``first_pts``.
        lone_frame_s: Length of the frame in seconds when it is the only one.

    Returns:
        The chosen pts (int64), and whether the instant is past the end (bool), both shaped like ``times``.

    Raises:
        InputError: No frames, frames out of order, or an instant that is negative or not finite.
    """
    frames = np.asarray(frame_pts, dtype=np.int64)
    wanted = np.asarray(times, dtype=np.float64)
    if frames.ndim != 1 or frames.size == 0 or np.any(frames[1:] <= frames[:-1]):
        raise InputError("nearest frame: expected at least one frame, with strictly ascending pts")
    bad = wanted[~(np.isfinite(wanted) & (wanted >= 0))]
    if bad.size:
        raise InputError(
            f"nearest frame: asked for t = {bad.flat[0]} s; expected 0 or more, "
            "in seconds from the first displayed frame"
        )
    seconds_a_tick = float(time_base)
    near = frames[_around(frames, (wanted - TIE_S) / seconds_a_tick + first_pts)]
    at = (near - first_pts) * seconds_a_tick
    middle = (at[:-1] + at[1:]) / 2
    index = np.searchsorted(middle, wanted - TIE_S, side="left")
    end_s = (frames[-1] - first_pts) * seconds_a_tick
    last_s = frame_length_s(frames, time_base, lone_frame_s)
    past_end = wanted >= end_s + 2 * last_s - TIE_S if last_s > 0 else wanted > end_s + TIE_S
    return near[index], past_end


def _around(frames: np.ndarray, ticks: np.ndarray) -> slice:
    """Slice the frames near some ticks, with one more on either side: a clip is a small part of a long video."""
    whole = np.clip(ticks, frames[0], frames[-1]).astype(np.int64)
    places = np.searchsorted(frames, whole)
    return slice(max(int(places.min(initial=len(frames))) - 3, 0), int(places.max(initial=0)) + 4)


def frame_length_s(frame_pts: np.ndarray, time_base: Fraction, lone_frame_s: float) -> float:
    """Compute the length of the last frame, in seconds.

    It is the gap before the frame, or ``lone_frame_s`` where it is the only one.
    """
    if len(frame_pts) < 2:
        return lone_frame_s
    return float((int(frame_pts[-1]) - int(frame_pts[-2])) * time_base)
