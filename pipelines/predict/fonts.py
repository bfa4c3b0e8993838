"""Choose a font that has the letters of a text.

It is Pillow's own, Matplotlib's or one of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

_UNKNOWN = "\U0010fffe"
"""Character without a glyph in every font."""

_INSTALL = (
    ("\u0600", "\u08ff", "Noto Sans Arabic (Debian: fonts-noto-core)"),
    ("\u1100", "\u11ff", "Noto Sans CJK (Debian: fonts-noto-cjk)"),
    ("\u2e80", "\u9fff", "Noto Sans CJK (Debian: fonts-noto-cjk)"),
    ("\uac00", "\ud7ff", "Noto Sans CJK (Debian: fonts-noto-cjk)"),
    ("\uf900", "\uffef", "Noto Sans CJK (Debian: fonts-noto-cjk)"),
)
"""First and last letter of a script, and the font that most machines have for it."""
_ANY = "Noto Sans (Debian: fonts-noto-core)"


@lru_cache(maxsize=1024)
def font(text: str, size: float) -> ImageFont.FreeTypeFont:
    """Choose a font that has the letters of a text.

    It is the first that has all of them, else the first that has most. Pillow's own has no accents, and no Greek or
    Cyrillic. Matplotlib's has these. Fonts of the machine come last.

    Args:
        text: the text.
        size: of the font, pixels.
    """
    return _load(_file_with(_letters([text])), size)


def without_font(texts: Iterable[str]) -> dict[str, str]:
    """Find the letters that no font has.

    Returns:
        Font to install, in words → the letters, in order.
    """
    found: dict[str, str] = {}
    for letter in sorted(_letters(texts)):
        if not _has(_file_with(frozenset(letter)), letter):
            name = next((name for first, last, name in _INSTALL if first <= letter <= last), _ANY)
            found[name] = found.get(name, "") + letter
    return found


def _letters(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(letter for text in texts for letter in text if letter.isprintable() and not letter.isspace())


@lru_cache(maxsize=1024)
def _file_with(letters: frozenset[str]) -> Path | None:
    best, most = None, -1
    # The fonts of the machine are only looked for where the two that come with the dependencies do not do.
    for files in (_brought, _of_the_machine):
        for file in files():
            count = sum(_has(file, letter) for letter in letters)
            if count > most:
                best, most = file, count
            if most == len(letters):
                return best
    return best


def _brought() -> list[Path | None]:
    """List Pillow's own font, which has no file, and DejaVu Sans of Matplotlib, which Ultralytics needs."""
    found = find_spec("matplotlib")
    file = Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf" if found and found.origin else None
    return [None, file] if file and file.is_file() else [None]


@lru_cache(maxsize=1)
def _of_the_machine() -> list[Path]:
    """List the fonts of the machine: upright ones without serifs first, then by name."""
    home = Path.home()
    data = [os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")]
    data += (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    folders = [home / ".fonts", *(Path(folder) / "fonts" for folder in data if folder)]
    files = {file for folder in folders for file in folder.rglob("*") if file.suffix in (".ttf", ".otf", ".ttc")}
    return sorted(files, key=lambda file: ("Sans" not in file.name, "Regular" not in file.name, str(file)))


@lru_cache(maxsize=256)
def _load(file: Path | None, size: float) -> ImageFont.FreeTypeFont:
    found = ImageFont.load_default(size) if file is None else ImageFont.truetype(str(file), size)
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found


@lru_cache(maxsize=16384)
def _has(file: Path | None, letter: str) -> bool:
    try:
        return bytes(_load(file, 20).getmask(letter)) != _unknown(file)
    except OSError:  # no font, or a damaged one
        return False


@lru_cache(maxsize=1024)
def _unknown(file: Path | None) -> bytes:
    return bytes(_load(file, 20).getmask(_UNKNOWN))
