"""Try promises and report whether they are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import XmicError


class Broken(Exception):
    """Error of a promise that is not kept.

    The text names what was found and what is expected.
    """


class NotTried(Exception):
    """Error of a promise that cannot be tried; its text says why."""


@dataclass(frozen=True)
class Promise:
    """One property of a class that xmic relies on.

    Attributes:
        text: the promise, in words.
        attempt: returns when the promise is kept, else raises.
        vital: whether later promises can be tried only when this one is kept.
    """

    text: str
    attempt: Callable[[], object]
    vital: bool = False


@dataclass(frozen=True)
class Verdict:
    """Result of a promise; ``kept`` is None where it was not tried."""

    promise: str
    kept: bool | None
    detail: str = ""


def try_all(promises: list[Promise]) -> list[Verdict]:
    """Try promises in order.

    After a vital promise that is not kept or not tried, the rest is not tried.
    """
    verdicts: list[Verdict] = []
    why = ""
    for promise in promises:
        if why:
            verdicts.append(Verdict(promise.text, None, why))
            continue
        kept, detail = _attempt(promise)
        verdicts.append(Verdict(promise.text, kept, detail))
        if promise.vital and kept is not True:
            why = f"needs that it {promise.text}" if kept is False else detail
    return verdicts


def _attempt(promise: Promise) -> tuple[bool | None, str]:
    try:
        promise.attempt()
    except NotTried as reason:
        return None, str(reason)
    except (Broken, XmicError) as reason:
        return False, str(reason)
    except Exception as error:  # an error of the user's own class is a result of the check, not a bug of xmic
        return False, f"{type(error).__name__}: {error}"
    return True, ""


def expect(holds: object, text: str) -> None:
    """Raise :class:`Broken` with ``text`` unless ``holds`` is true."""
    if not holds:
        raise Broken(text)


def expect_folder_name(slug: object, what: str) -> None:
    """Require a name that can be a folder on every system.

    Raises:
        Broken: it is not such a name.
    """
    expect(
        isinstance(slug, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", slug),
        f"{what} is {slug!r}; it is a folder's name: letters, digits, '.', '_' and '-' only",
    )


def expect_plain(values: object, what: str) -> None:
    """Require a mapping of plain values without absolute paths.

    It becomes part of keys.

    Raises:
        Broken: it is not such a mapping.
    """
    expect(isinstance(values, Mapping), f"{what} is {type(values).__name__}; expected a dict")
    try:
        text = json.dumps(values)
    except (TypeError, ValueError) as error:
        raise Broken(f"{what} holds a value that JSON cannot ({error})") from None
    paths = [one for one in _texts(json.loads(text)) if Path(one).is_absolute()]
    expect(not paths, f"{what} holds the absolute path {paths[:1]}; keys must not change when a folder is moved")


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
