"""Read the kinds of objects from ``kinds.toml``.

The head of that file describes its format.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from data_manifests.errors import InputError
from pipelines.engine.plugins import did_you_mean
from pocket_kitchens.drawing.colours import COLOURS, ROLES
from pocket_kitchens.drawing.parts import (
    Kind,
    Motif,
    Part,
    Pattern,
    Shade,
    blob,
    block,
    curve,
    oval,
    rod,
    shine,
    turned,
)

KINDS_FILE = Path(__file__).with_name("kinds.toml")

_STYLE = ("shade", "clip", "opacity", "chance")
_FIELDS = ("size", "palettes", "parts", "opens", "stretch", "bend", "mirrored")
_ROLES = {role + tone for role in (*ROLES, *COLOURS) for tone in ("", "-", "+")}
_Outlines = list[list[tuple[float, float]]]


@dataclass(frozen=True)
class _Form:
    """Settings of a shape's line in the file.

    Attributes:
        points: fewest points of an outline; 0 for a shape that is drawn around each of its points.
        needed: settings that the line must have.
        others: settings that may be left out.
    """

    points: int
    needed: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        return self.needed + self.others


_FORMS = {
    "oval": _Form(0, ("size",), _STYLE),
    "ring": _Form(0, ("size", "width"), _STYLE),
    "block": _Form(0, ("size",), ("corner", *_STYLE)),
    "shine": _Form(0, ("size",), ()),
    "poly": _Form(3, (), _STYLE),
    "blob": _Form(3, (), _STYLE),
    "turned": _Form(2, (), ("soft", *_STYLE)),
    "rod": _Form(2, ("width",), _STYLE),
    "curve": _Form(2, ("width",), _STYLE),
}
_PATTERN = "pattern"


class _Wrong(Exception):
    """Fault of a field; the reader of the file adds its place."""


def read_kinds(file: Path = KINDS_FILE) -> dict[str, Kind]:
    """Read all kinds of objects from a TOML file.

    Returns:
        Name → kind, in the order of the file.

    Raises:
        InputError: the file cannot be read or is wrong; the text names the kind, the field and what was expected.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: cannot be read as TOML: {error}.") from error
    shared, kinds = content.pop("palettes", {}), content.pop("kinds", None)
    if content or not isinstance(shared, dict) or not isinstance(kinds, dict) or not kinds:
        others = f", found {', '.join(content)} too" if content else ""
        raise InputError(f"{file}: expected tables [palettes] and [kinds.NAME]{others}.")
    found = {}
    for name, fields in kinds.items():
        try:
            found[name] = _kind(name, fields, shared)
        except _Wrong as wrong:
            raise InputError(f"{file}: kind '{name}', {wrong} The head of the file says how to write it.") from None
    return found


def _kind(name: str, fields: Any, shared: dict[str, Any]) -> Kind:
    if not isinstance(fields, dict):
        raise _Wrong(f"found {fields!r}, expected a table [kinds.{name}].")
    for field in fields:
        if field not in _FIELDS:
            raise _Wrong(f"{field}: there is no such field.{did_you_mean(field, _FIELDS)}")
    for field in ("size", "palettes", "parts"):
        if field not in fields:
            raise _Wrong(f"{field}: it is missing.")
    palettes, parts = _palettes(fields["palettes"], shared), _parts(fields["parts"])
    numbers = {field: _value(field, fields[field], float) for field in ("size", "stretch", "bend") if field in fields}
    flags = {field: _value(field, fields[field], bool) for field in ("opens", "mirrored") if field in fields}
    kind = Kind(name, palettes=palettes, parts=parts, **numbers, **flags)
    if kind.size <= 0:
        raise _Wrong(f"size: found {kind.size:g}, expected more than 0.")
    if not 0 <= kind.stretch < 1:
        raise _Wrong(f"stretch: found {kind.stretch:g}, expected 0 or more and less than 1.")
    _check_roles(kind)
    return kind


def _value(field: str, value: Any, of: type) -> Any:
    """Return a field's value: a number, a text, or true or false."""
    if of is float and type(value) is int:
        return float(value)
    if type(value) is not of or value in (math.inf, -math.inf) or value != value:
        expected = {float: "a number", bool: "true or false", str: "a text in quotes"}[of]
        raise _Wrong(f"{field}: found {value!r}, expected {expected}.")
    return value


def _palettes(text: Any, shared: dict[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for word in _value("palettes", text, str).split():
        if word.startswith("@"):
            if word[1:] not in shared:
                raise _Wrong(f"palettes: found '{word}', but [palettes] has only {', '.join(shared) or 'nothing'}.")
            found += _value(f"palettes, {word}", shared[word[1:]], str).split()
        else:
            found.append(word)
    for palette in found:
        colours = palette.split("/")
        for colour in colours:
            if colour not in COLOURS:
                raise _Wrong(f"palettes: '{palette}': there is no colour '{colour}'.{did_you_mean(colour, COLOURS)}")
        if len(colours) > len(ROLES):
            raise _Wrong(f"palettes: '{palette}' has {len(colours)} colours, expected at most {'/'.join(ROLES)}.")
    if not found:
        raise _Wrong("palettes: found none, expected at least one.")
    return tuple(found)


def _check_roles(kind: Kind) -> None:
    """Check that each palette has the colours of the kind's parts."""
    for palette in kind.palettes:
        lacking = ROLES[palette.count("/") + 1 :]
        used = [part.role for part in kind.parts if part.role.rstrip("+-") in lacking]
        if used:
            raise _Wrong(f"palettes: '{palette}' has no colour for '{used[0]}', which a part has.")


def _parts(text: Any) -> tuple[Part | Pattern, ...]:
    found: list[Part | Pattern] = []
    for line in filter(None, map(str.strip, _value("parts", text, str).splitlines())):
        try:
            more = _line(line)
            # What shows on the last part needs one that is always there.
            if not found and not (isinstance(more[0], Part) and not more[0].clip and more[0].chance == 1):
                raise _Wrong("the first part lies on another one or is not always there.")
        except _Wrong as wrong:
            raise _Wrong(f"parts: '{line}': {wrong}") from None
        found += more
    if not found:
        raise _Wrong("parts: found none, expected at least one.")
    return tuple(found)


def _line(line: str) -> list[Part | Pattern]:
    """Parse the parts that one line describes."""
    shape, *words = line.replace(";", " ; ").split()
    if shape not in (*_FORMS, _PATTERN):
        raise _Wrong(f"there is no shape '{shape}', expected one of {', '.join((*_FORMS, _PATTERN))}.")
    role = "" if shape == "shine" else _role(words.pop(0) if words else "")
    if shape == _PATTERN:
        return [Pattern(role, _motifs(words))]
    form = _FORMS[shape]
    style: dict[str, Any] = {}
    outlines: _Outlines = [[]]
    for word in words:
        name, equals, value = word.partition("=")
        if word == ";":
            outlines.append([])
        elif not equals and "," in word:
            outlines[-1].append(_pair("points", word))
        elif name not in form.settings:
            raise _Wrong(f"found '{word}', expected a point x,y or one of {', '.join(form.settings)}.")
        elif name in style:
            raise _Wrong(f"{name}: it is given twice.")
        else:
            style[name] = _setting(name, equals, value)
    for name in form.needed:
        if name not in style:
            raise _Wrong(f"{name}: it is missing.")
    if form.points == 0:
        return [*_around(shape, role, outlines, style)]
    if min(map(len, outlines)) < form.points:
        raise _Wrong(f"expected at least {form.points} points x,y.")
    draw: dict[str, Callable[..., Part]]
    draw = {"poly": Part, "blob": blob, "turned": turned, "rod": rod, "curve": curve}
    return [draw[shape](role, np.array(points, dtype=np.float32), **style) for points in outlines]


def _around(shape: str, role: str, outlines: _Outlines, style: dict[str, Any]) -> list[Part]:
    (w, h), corner = style.pop("size"), style.pop("corner", 3.0)
    if len(outlines) > 1 or not outlines[0]:
        raise _Wrong("expected the points x,y that it is drawn around, without ';'.")
    if shape == "shine":
        return [shine(x, y, w, h) for x, y in outlines[0]]
    if shape == "block":
        return [block(role, x, y, w, h, corner, **style) for x, y in outlines[0]]
    return [oval(role, x, y, w, h, **style) for x, y in outlines[0]]


def _role(word: str) -> str:
    if word not in _ROLES:
        raise _Wrong(f"there is no colour '{word}'.{did_you_mean(word, _ROLES)}")
    return word


def _motifs(words: list[str]) -> tuple[Motif, ...]:
    for word in words or [""]:
        if word not in get_args(Motif):
            raise _Wrong(f"there is no motif '{word}', expected some of {', '.join(get_args(Motif))}.")
    return tuple(words)  # type: ignore[arg-type]


def _setting(name: str, equals: str, value: str) -> Any:
    if name in ("clip", "soft"):
        if equals:
            raise _Wrong(f"{name}: found '{name}={value}', expected the word alone.")
        return True
    if name == "shade":
        if value not in get_args(Shade):
            raise _Wrong(f"shade: found '{value}', expected one of {', '.join(get_args(Shade))}.")
        return value
    numbers = _pair(name, value) if name == "size" else (_number(name, value),)
    if min(numbers) <= 0:
        raise _Wrong(f"{name}: found '{value}', expected more than 0.")
    if name in ("opacity", "chance") and numbers[0] > 1:
        raise _Wrong(f"{name}: found '{value}', expected at most 1.")
    return numbers if name == "size" else numbers[0]


def _pair(name: str, text: str) -> tuple[float, float]:
    first, comma, second = text.partition(",")
    if not comma:
        raise _Wrong(f"{name}: found '{text}', expected two numbers with ',' between them.")
    return _number(name, first), _number(name, second)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _Wrong(f"{name}: found '{text}', expected a number.")
    return number
