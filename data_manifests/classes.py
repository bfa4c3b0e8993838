"""Class names: from a dataset's own keys to the words a text encoder reads."""

from __future__ import annotations

_EPIC_LEFTOVERS = {"use to": "use", "end of": "end", "bring into": "bring"}


def epic_name(key: str) -> str:
    """The text of an EPIC-KITCHENS class key, as the official X-MIC code makes it.

    The parts between colons are reversed ('board:chopping' is 'chopping board') and hyphens become
    spaces ('turn-on' is 'turn on'). A key of three parts comes out in an odd order
    ('machine:sous:vide' is 'vide sous machine'); it is kept so for comparability.
    """
    name = " ".join(reversed(key.split(":"))).replace("-", " ")
    return _EPIC_LEFTOVERS.get(name, name)
