"""Write sharp text into pictures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from pipelines.predict.fonts import font

Colour = tuple[int, int, int]

BACK, TEXT, FAINT = (20, 22, 27), (240, 242, 246), (150, 157, 168)
GREY, GREY_TEXT = (66, 71, 81), (190, 195, 204)
"""Colours of an answer that is not probable enough."""

PALETTE: tuple[Colour, ...] = (
    (58, 110, 184),
    (176, 94, 42),
    (56, 136, 88),
    (140, 86, 176),
    (158, 126, 40),
    (38, 138, 148),
    (176, 68, 104),
    (104, 118, 48),
)
"""Colours of words; white text can be read on all of them."""


@lru_cache(maxsize=1024)
def fitting(text: str, size: float, width: float) -> str:
    """Cut a text to a width, with '…' at its end.

    Returns:
        The text; '' where not even one letter fits.
    """
    chosen = font(text, size)
    if chosen.getlength(text) <= width:
        return text
    for end in range(len(text) - 1, 0, -1):
        short = f"{text[:end].rstrip()}…"
        if chosen.getlength(short) <= width:
            return short
    return ""


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines of a width, between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font(text, size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: float,
    colour: Colour = TEXT,
    width: float = float("inf"),
    anchor: str = "lm",
) -> None:
    """Write a text of one line, cut to a width.

    Args:
        draw: of the picture.
        place: x and y, pixels.
        text: the text.
        size: of the font, pixels.
        colour: of the text.
        width: most pixels.
        anchor: which point of the text lies at the place, as Pillow names it; 'lm' is left and middle.
    """
    draw.text(place, fitting(text, size, width), colour, font(text, size), anchor=anchor)


@lru_cache(maxsize=256)
def chip(text: str, size: float, colour: Colour, back: Colour) -> np.ndarray:
    """Draw a text on a filled rectangle of its size.

    Returns:
        uint8 [h, w, 3].
    """
    pad = max(2, round(size / 4))
    width, height = round(font(text, size).getlength(text)) + 2 * pad, round(size * 1.35)
    picture = Image.new("RGB", (width, height), back)
    write(ImageDraw.Draw(picture), (pad, height / 2), text, size, colour)
    return np.array(picture)


def paste(page: np.ndarray, picture: np.ndarray, left: int, top: int) -> None:
    """Paste a picture into a page, as far as it lies within."""
    top, left = max(0, min(top, page.shape[0] - picture.shape[0])), max(0, min(left, page.shape[1] - picture.shape[1]))
    height, width = min(picture.shape[0], page.shape[0] - top), min(picture.shape[1], page.shape[1] - left)
    page[top : top + height, left : left + width] = picture[:height, :width]
