"""Read and check the words that a run chooses from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from data_manifests.classes import class_row, class_table
from data_manifests.errors import UsageError
from data_manifests.readers.table_files import read_names
from data_manifests.schema import Label
from pipelines.embed.encoders.spec import POCKET_WORDS

_SHOWN = 5


def read_words(label: Label, file: Path | None, more: Sequence[str]) -> list[str] | None:
    """Read a user's words, the words of the file first.

    Args:
        label: of the head, for messages.
        file: one word or phrase per line; lines that begin with '#' are left out.
        more: single words.

    Returns:
        The words; None if there is neither a file nor a word.

    Raises:
        InputError: the file is missing, empty, or has a word twice.
        UsageError: a word is empty or given twice.
    """
    if file is None and not more:
        return None
    words = [*(read_names(file, comments=True) if file is not None else []), *(word.strip() for word in more)]
    refuse_repeated(label, words)
    return words


def refuse_repeated(label: Label, words: Sequence[str]) -> None:
    """Refuse an empty list, an empty word or a repeated word.

    Raises:
        UsageError: there is no word, a word is empty, or a word is there twice.
    """
    twice = next((word for word, count in Counter(words).items() if count > 1), None)
    if not words or not all(word.strip() for word in words) or twice is not None:
        what = f"{twice!r} appears twice" if twice else "a word is empty" if words else "no word"
        raise UsageError(f"{label}s: {what}; expected different words, one or more.")


def word_classes(words: Sequence[str]) -> pa.Table:
    """Make a class list of words, rows of :data:`data_manifests.schema.CLASSES`."""
    return class_table([class_row(number, word, word) for number, word in enumerate(words)])


def outside_pocket(label: Label, words: Sequence[str]) -> list[str]:
    """Return the words that the packaged encoder was not trained with.

    They were in none of its captions, so its scores for them mean little.
    """
    known = set(json.loads(POCKET_WORDS.read_text(encoding="utf-8"))[label])
    return [word for word in words if " ".join(word.casefold().split()) not in known]


def pocket_warning(label: Label, strange: Sequence[str]) -> str:
    """Return the warning about the words of :func:`outside_pocket`."""
    more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
    return (
        f"warning: the pocket encoder was not trained with the {label}s {', '.join(strange[:_SHOWN])}{more}: their "
        "scores mean little. Use a run on an encoder of real pictures, such as open_clip:ViT-B-16/openai"
    )
