"""Choose the file of each number among numbered pictures.

A folder may hold the optical flow beside the frames (``img_00001.jpg``, ``flow_x_00001.jpg``, …), and a tar may hold
both in folders. Then the number alone names several files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from data_manifests.videos import PICTURE, is_hidden

_OWN = frozenset({"", "frame", "frames", "img", "image", "im", "rgb"})
"""Last words before the number in names of frames, as datasets and common extractors write them."""

_OTHER = frozenset({"flow", "u", "v", "x", "y", "depth", "mask", "masks", "seg", "segmentation", "thumb", "thumbs"})
"""Words in names of files and folders that are not the frames themselves."""

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class PictureSeries:
    """The files that the numbers of a video's pictures stand for.

    Attributes:
        files: Number → name of the file, with its folders.
        note: Which series was taken, in words; None where there is only one file for each number.
    """

    files: dict[int, str]
    note: str | None = None


def picture_series(names: Iterable[str]) -> PictureSeries:
    """Choose the series of frames among the names of files.

    A series is the files of one folder whose names differ in the number alone. Hidden files and files of other systems
    are no pictures. PNGs beside JPEGs count only in a series of JPEGs. Where a number stands for several files, the
    series is taken that is named as frames are (frame, img, image, rgb, or the number alone) and whose name and folders
    do not say that it is something else (flow, depth, mask, …). The order of the names does not matter.

    Args:
        names: Names of files with their folders, in any order.

    Raises:
        ValueError: A number stands for several files of such series, or of no such series; the text names two of them.
    """
    series: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in sorted(names):
        path = PurePosixPath(name)
        match = PICTURE.fullmatch(path.name)
        if match and not any(is_hidden(part) for part in path.parts):
            series.setdefault((str(path.parent), match[1] or ""), []).append((int(match[2]), name))
    of_jpegs = {key: pairs for key, pairs in series.items() if not all(_is_png(name) for _, name in pairs)}
    series = of_jpegs or series
    whole = [pair for pairs in series.values() for pair in pairs]
    if _clash(whole) is None:
        return PictureSeries(dict(whole))
    own = [key for key in series if _is_of_frames(*key)] or list(series)
    taken = [pair for key in own for pair in series[key]]
    clash = _clash(taken)
    if clash:
        number, first, second = clash
        raise ValueError(
            f"number {number} stands for {first} and for {second}; expected one picture for each number: keep the "
            "frames in this place and move the others"
        )
    left_out = [_form(*key) for key in series if key not in own]
    kept = ", ".join(_form(*key) for key in own)
    return PictureSeries(dict(taken), f"the frames are {kept}; {', '.join(left_out)} are left out")


def _is_of_frames(folder: str, prefix: str) -> bool:
    words = [word.lower() for word in _WORD.findall(prefix)]
    around = {word.lower() for word in _WORD.findall(folder)}
    return (not words or words[-1] in _OWN) and not _OTHER & {*words, *around}


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png")


def _form(folder: str, prefix: str) -> str:
    return f"{'' if folder == '.' else folder + '/'}{prefix}*"


def _clash(pairs: Iterable[tuple[int, str]]) -> tuple[int, str, str] | None:
    """Find the smallest number of several files, with two of them."""
    known: dict[int, str] = {}
    clashes = [(number, known[number], name) for number, name in pairs if known.setdefault(number, name) != name]
    return min(clashes, default=None)
