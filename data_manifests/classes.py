"""Class names: from a dataset's own keys to the words a text encoder reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from data_manifests.schema import CLASSES

_EPIC_LEFTOVERS = {"use to": "use", "end of": "end", "bring into": "bring"}
_EPIC_FIXED = {"machine:sous:vide": "sous vide machine", "scotch:egg": "scotch egg"}


def epic_name(key: str) -> str:
    """The text of an EPIC-KITCHENS class key, as the official X-MIC code makes it.

    The parts between colons are reversed ('board:chopping' is 'chopping board') and hyphens become
    spaces ('turn-on' is 'turn on'). A key of three parts comes out in an odd order
    ('machine:sous:vide' is 'vide sous machine'); it is kept so for comparability.
    """
    name = " ".join(reversed(key.split(":"))).replace("-", " ")
    return _EPIC_LEFTOVERS.get(name, name)


def epic_fixed_name(key: str) -> str:
    """:func:`epic_name` with the words of 'machine:sous:vide' and 'scotch:egg' in their order."""
    return _EPIC_FIXED.get(key, epic_name(key))


def class_row(class_id: int, key: str, name: str, fixed: str | None = None, more: Iterable[str] = ()) -> dict[str, Any]:
    """A row of :data:`data_manifests.schema.CLASSES`.

    Args:
        class_id: its index.
        key: the class as the dataset writes it.
        name: the official text.
        fixed: the mended text; ``name`` when None.
        more: further texts that stand for the class.
    """
    fixed = name if fixed is None else fixed
    synonyms = list(dict.fromkeys([fixed, *(text for text in more if text != name)]))
    return {"class_id": class_id, "key": key, "name": name, "fixed": fixed, "synonyms": synonyms}


def class_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of :func:`class_row` as a table."""
    return pa.Table.from_pylist(rows, schema=CLASSES)
