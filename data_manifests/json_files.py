"""Read a downloaded JSON file, with errors that name its fault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_object(file: Path, keep: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    """Read a JSON file in UTF-8 that holds one object.

    Args:
        file: the file.
        keep: called with each object of the file, innermost first; returns the value that replaces the object.

    Raises:
        InputError: the file is cut short, is no JSON or holds something other than an object at its top.
    """
    text = ""
    try:
        text = file.read_bytes().decode("utf-8-sig").strip()
        content = json.loads(text, object_hook=keep)
    except (ValueError, RecursionError) as error:
        if text.startswith("{") and (not text.endswith("}") or getattr(error, "pos", 0) >= len(text)):
            raise InputError(
                f"{file}: the JSON breaks off after {len(text)} characters, a download cut short; fetch it again."
            ) from None
        raise InputError(f"{file}: not JSON in UTF-8 ({error})") from None
    refuse_half_characters(file, text, content)
    if not isinstance(content, dict):
        raise InputError(f"{file}: found a {type(content).__name__} at the top, expected a JSON object.")
    return content


def refuse_half_characters(place: Path | str, text: str, content: Any) -> None:
    """Refuse JSON text with half of a character (a lone surrogate).

    JSON can write such a half, but no file in UTF-8 can hold it.

    Args:
        place: the file or line of the text, for the message.
        text: the JSON text.
        content: the parsed value of the text.

    Raises:
        InputError: the text has a lone surrogate.
    """
    if not _SURROGATE.search(text):
        return
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: the escape {error.object[error.start]!r} is half a character; mend that text."
        ) from None
