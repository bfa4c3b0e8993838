"""Convert decoded frames to upright RGB pictures of a given size.

The scaler is swscale with its area filter, which averages where it shrinks. The flags ``accurate_rnd`` and ``bitexact``
keep it from taking shortcuts that differ between processors.

A picture that is scaled goes to planar RGB first. On its way to packed RGB swscale looks colours up in tables, with
half the chroma and a bias of one or two steps; to planar RGB it computes every pixel, and when scaling that takes no
longer. At the native size it would take twice the time, so the tables are used there.

A 4:2:0 picture of even sides that keeps its size takes the shortcut: it is four times as fast, and gives each sample of
chroma to its four pixels. A JPEG with 4:2:0 chroma averages these four, and so stores the chroma of the video itself.
Interpolated chroma would be blurred by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

SWSCALE_FLAGS = int(Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT)

# The container that ``frame.side_data`` keeps and the frame refer to each other, so that frames would pile up in memory
# until Python looks for cycles. This one is free as soon as it was read.
_side_data_of = cast(Callable[[VideoFrame], Mapping[Type, SideData]], SideDataContainer)

_HALF_CHROMA = frozenset({"yuv420p", "yuvj420p"})
_REPEATS_CHROMA = int(Interpolation.AREA | Interpolation.BITEXACT)

_QUARTER_TURNS = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))


def scaled_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Compute the size of a picture after scaling to a short side.

    No picture is upscaled. The long side is rounded to the nearest even number (halves up). A picture that is small
    enough already, and every picture when ``short_side`` is 0, keeps its own size, odd or even.

    Args:
        width: Pixels.
        height: Pixels.
        short_side: Pixels; 0 keeps the native size.

    Returns:
        (width, height) in pixels.
    """
    short, long = min(width, height), max(width, height)
    if short_side == 0 or short <= short_side:
        return width, height
    side = 2 * ((long * short_side + short) // (2 * short))
    return (short_side, side) if width <= height else (side, short_side)


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return the signs of the frame's display matrix.

    Angles between quarter turns are rounded to the nearest quarter turn.

    Returns:
        (a, b, c, d) with x' = a x + c y and y' = b x + d y, y downwards; (1, 0, 0, 1) without a matrix.
    """
    try:
        side_data = _side_data_of(frame).get(Type.DISPLAYMATRIX)
    except ValueError:
        # PyAV lists all side data or none, and does not know every kind that FFmpeg attaches. It reads the rotation
        # separately.
        return _QUARTER_TURNS[round(frame.rotation / 90) % 4]
    if side_data is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(side_data), dtype=np.int32)
    a, b, c, d = (int(matrix[place]) for place in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)
    return 0, (-1 if b < 0 else 1), (-1 if c < 0 else 1), 0


def upright(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Rotate and mirror a picture ``[H, W, 3]`` by its display matrix."""
    a, b, c, d = matrix
    if b or c:
        picture, across, down = picture.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    turned = picture[::down, ::across]
    # FFmpeg pads its rows. A picture that is upright already is not copied to leave the padding out.
    return turned if (a, b, c, d) == (1, 0, 0, 1) else np.ascontiguousarray(turned)


class RgbConverter:
    """A converter of frames to RGB.

    It keeps one swscale context for all frames of a video.
    """

    def __init__(self) -> None:
        """Make a converter; swscale is set up by the first frame."""
        self._scaler = VideoReformatter()

    def convert(self, frame: VideoFrame, short_side: int) -> np.ndarray:
        """Scale a frame, convert it to RGB and rotate it upright.

        Args:
            frame: A decoded frame in any pixel format.
            short_side: Short side in pixels (see :func:`scaled_size`).

        Returns:
            uint8 ``[H, W, 3]``, RGB, full range, upright. Its rows may be padded: it need not be contiguous.
        """
        width, height = scaled_size(frame.width, frame.height, short_side)
        native = (width, height) == (frame.width, frame.height)
        even = native and frame.format.name in _HALF_CHROMA and not (width % 2 or height % 2)
        picture = self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24" if native else "gbrp",
            interpolation=_REPEATS_CHROMA if even else SWSCALE_FLAGS,
            threads=1,
        )
        return upright(picture.to_ndarray(), display_matrix(frame))
