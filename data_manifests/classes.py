"""Turn a dataset's class keys into the texts a text encoder reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from data_manifests.schema import CLASSES

_EPIC_LEFTOVERS = {"use to": "use", "end of": "end", "bring into": "bring"}
_EPIC_FIXED = {"machine:sous:vide": "sous vide machine", "scotch:egg": "scotch egg"}

_EGO4D_NAMES = {
    "nut_(tool)": "nut tool",
    "chip_(wood'_metal),": "chip wood",
    "chip_(wood,_metal)": "chip metal",
    "bat_(tool)": "bat tool",
    "bat_(sports)": "bat sports",
    "pot_(planter)": "planter",
}
_EGO4D_QUALIFIERS = frozenset(
    ["sports", "tool", "material", "food", "computer", "planter", "car", "vegetable", "with_tool"]
)
_EGO4D_GROUP = re.compile(r"\(([^()]*)\)")


def epic_name(key: str) -> str:
    """Return an EPIC-KITCHENS class key as the official X-MIC text.

    The parts between colons are reversed ('board:chopping' is 'chopping board') and hyphens become
    spaces ('turn-on' is 'turn on'). A key of three parts comes out in an odd order
    ('machine:sous:vide' is 'vide sous machine'); it is kept so for comparability.
    """
    name = " ".join(reversed(key.split(":"))).replace("-", " ")
    return _EPIC_LEFTOVERS.get(name, name)


def epic_fixed_name(key: str) -> str:
    """Return an EPIC-KITCHENS class key as text with corrected word order.

    The text is that of :func:`epic_name`, except for 'machine:sous:vide' ('sous vide machine') and 'scotch:egg'
    ('scotch egg').
    """
    return _EPIC_FIXED.get(key, epic_name(key))


def ego4d_name(key: str) -> str:
    """Return an Ego4D taxonomy entry as the official X-MIC text.

    An entry is 'head', 'head_(synonym,_synonym)', 'head_(qualifier)' or 'head_(qualifier)_(synonym,_synonym)'. The
    text is the head with spaces for '_'. The heads of six entries are those of other classes, so these entries have
    names of their own ('nut_(tool)' is 'nut tool', 'pot_(planter)' is 'planter').
    """
    return _EGO4D_NAMES.get(key) or _ego4d_head(key)


def ego4d_synonyms(key: str) -> list[str]:
    """List the head and the synonyms of an Ego4D taxonomy entry.

    The synonyms are those in the last pair of parentheses. A qualifier says which of two meanings is meant and is no
    synonym, for example 'chip_(food)', or the first pair of 'pepper_(vegetable)_(capsicum,_pepper)'. A word counts as
    a qualifier if it is one in the taxonomy of v2 and is alone in its parentheses. The six entries with names of their
    own (:func:`ego4d_name`) have only their heads.
    """
    head, groups = _ego4d_head(key), _EGO4D_GROUP.findall(key)
    if key in _EGO4D_NAMES or not groups or groups[-1] in _EGO4D_QUALIFIERS:
        return [head]
    return [head, *(text for part in groups[-1].split(",") if (text := _ego4d_text(part)))]


def _ego4d_head(key: str) -> str:
    return _ego4d_text(key.partition("(")[0])


def _ego4d_text(part: str) -> str:
    return part.replace("_", " ").strip()


def egtea_name(key: str) -> str:
    """Return an EGTEA Gaze+ class as the official X-MIC text.

    Slashes and underscores become spaces ('Divide/Pull Apart' is 'Divide Pull Apart'); capitals stay.
    """
    return key.replace("/", " ").replace("_", " ")


def class_row(class_id: int, key: str, name: str, fixed: str | None = None, more: Iterable[str] = ()) -> dict[str, Any]:
    """Build a row of :data:`data_manifests.schema.CLASSES`.

    Args:
        class_id: index of the class.
        key: the class as the dataset writes it.
        name: the official text.
        fixed: the corrected text; ``name`` when None.
        more: further synonyms of the class.
    """
    fixed = name if fixed is None else fixed
    synonyms = list(dict.fromkeys([fixed, *(text for text in more if text != name)]))
    return {"class_id": class_id, "key": key, "name": name, "fixed": fixed, "synonyms": synonyms}


def class_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Build a table from rows of :func:`class_row`."""
    return pa.Table.from_pylist(rows, schema=CLASSES)
