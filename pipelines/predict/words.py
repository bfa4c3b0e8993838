"""The words to choose from: a user's own, or the classes that a run was trained with."""

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
    """A user's words, those of the file first; None when there are none.

    Args:
        label: of which head, for messages.
        file: one word or phrase a line; lines that begin with '#' are left out.
        more: single ones.

    Raises:
        InputError: the file is missing, empty, or has a word twice.
        UsageError: a word is empty or stands twice.
    """
    if file is None and not more:
        return None
    words = [*(read_names(file, comments=True) if file is not None else []), *(word.strip() for word in more)]
    refuse_repeated(label, words)
    return words


def refuse_repeated(label: Label, words: Sequence[str]) -> None:
    """Refuse a list that is no choice.

    Raises:
        UsageError: no word, an empty one, or one that stands twice.
    """
    twice = next((word for word, count in Counter(words).items() if count > 1), None)
    if not words or not all(word.strip() for word in words) or twice is not None:
        what = f"{twice!r} stands twice" if twice else "a word is empty" if words else "no word"
        raise UsageError(f"{label}s: {what}; expected different words, one or more.")


def word_classes(words: Sequence[str]) -> pa.Table:
    """Words as a class list, rows of :data:`data_manifests.schema.CLASSES`."""
    return class_table([class_row(number, word, word) for number, word in enumerate(words)])


def outside_pocket(label: Label, words: Sequence[str]) -> list[str]:
    """The words that the packaged encoder never met in its captions: what it says of them means little."""
    known = set(json.loads(POCKET_WORDS.read_text(encoding="utf-8"))[label])
    return [word for word in words if " ".join(word.casefold().split()) not in known]


def pocket_warning(label: Label, strange: Sequence[str]) -> str:
    """What to say of :func:`outside_pocket` words."""
    more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
    return (
        f"warning: the pocket encoder was not trained with the {label}s {', '.join(strange[:_SHOWN])}{more}: their "
        "scores mean little. Use a run on an encoder of real pictures, such as open_clip:ViT-B-16/openai"
    )
