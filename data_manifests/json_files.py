"""Reading a JSON file that people download, with errors that say what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_object(file: Path, keep: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    """The object that a JSON file in UTF-8 holds.

    Args:
        file: the file.
        keep: given each object of the file, innermost first, returns what is to stand for it.

    Raises:
        InputError: the file is cut short, is no JSON or holds something else at its top.
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
    """JSON can write half of a character (a lone surrogate), which no file in UTF-8 can hold.

    Args:
        place: where the text is from, for the message.
        text: the JSON.
        content: what it stands for.

    Raises:
        InputError: there is one.
    """
    if not _SURROGATE.search(text):
        return
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: the escape {error.object[error.start]!r} is half a character; mend that text."
        ) from None
