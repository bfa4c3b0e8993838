from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.predict import fonts
from pipelines.predict.fonts import font, without_font

_CACHED = (font, fonts._file_with, fonts._of_the_machine, fonts._load, fonts._has, fonts._unknown)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """A machine without fonts; ``machine(name, letters)`` installs one that has these letters alone."""
    builder = pytest.importorskip("fontTools.fontBuilder")
    pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "none"))
    for cached in _CACHED:
        cached.cache_clear()

    def square(low: int, high: int) -> object:
        pen = pens.TTGlyphPen(None)
        pen.moveTo((low, low))
        for corner in ((low, high), (high, high), (high, low)):
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph()

    def install(name: str, letters: str) -> Path:
        names = [".notdef", *(f"u{ord(letter):04x}" for letter in letters)]
        made = builder.FontBuilder(1000, isTTF=True)
        made.setupGlyphOrder(names)
        made.setupCharacterMap({ord(letter): names[1 + place] for place, letter in enumerate(letters)})
        made.setupGlyf({one: square(0, 300 if one == ".notdef" else 800) for one in names})
        made.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
        made.setupHorizontalHeader(ascent=800, descent=-200)
        made.setupNameTable({"familyName": name, "styleName": "Regular"})
        made.setupOS2()
        made.setupPost()
        file = tmp_path / "share" / "fonts" / "deep" / f"{name}.ttf"
        file.parent.mkdir(parents=True, exist_ok=True)
        made.save(file)
        return file

    yield install
    for cached in _CACHED:
        cached.cache_clear()


@pytest.mark.parametrize("text", ["Löffel", "чайник", "κουτάλι", "łyżka"])
def test_words_of_other_languages_are_letters_and_no_boxes(text: str) -> None:
    missing = bytes(font(text, 20).getmask("\U0010fffe"))
    assert all(bytes(font(text, 20).getmask(letter)) != missing for letter in text)


def test_plain_words_are_in_the_font_that_comes_with_pillow(machine: Callable[[str, str], Path]) -> None:
    machine("ASans-Regular", "cut")
    assert font("cut", 20).getname() == font("", 20).getname()


def test_letters_that_only_a_font_of_the_machine_has_are_drawn_in_it(machine: Callable[[str, str], Path]) -> None:
    machine("ASerif", "切る鍋")
    file = machine("BSans-Regular", "切る鍋")
    assert font("切る", 20).path == str(file)  # upright, without serifs
    assert without_font(["切る 鍋", "cut", "чайник"]) == {}


def test_a_text_that_no_font_has_whole_is_in_the_one_that_has_most(machine: Callable[[str, str], Path]) -> None:
    machine("ASans", "切")
    file = machine("BSans", "切る")
    assert font("切る鍋", 20).path == str(file)


def test_letters_that_no_font_has_are_named_with_a_font_to_install(machine: Callable[[str, str], Path]) -> None:
    machine("ASans", "切")
    found = without_font(["切る鍋", "칼", "cut", "ማንኪያ", "る\n"])
    cjk = found.pop("Noto Sans CJK (Debian: fonts-noto-cjk)")
    assert cjk == "る鍋칼"
    assert found == {"Noto Sans (Debian: fonts-noto-core)": "".join(sorted("ማንኪያ"))}


def test_a_damaged_font_of_the_machine_is_passed_over(machine: Callable[[str, str], Path]) -> None:
    machine("ASans", "切").write_bytes(b"no font")
    file = machine("BSans", "切")
    assert font("切", 20).path == str(file)
