"""Write files with a digest of their content, and check it.

A JSON object holds its digest under :data:`SHA256`, any other file in its first line. Files without a digest are of an
older version, and are taken as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import digest_json

SHA256 = "sha256"
"""Member of a sealed JSON object that holds the digest of all the others."""

_HEAD = re.compile(rb"xmic sha256 ([0-9a-f]{64})\n")


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Add the digest of a JSON object to it."""
    plain = {name: item for name, item in value.items() if name != SHA256}
    return {**plain, SHA256: digest_json(plain)}


def is_changed(value: Mapping[str, Any]) -> bool:
    """Check a JSON object against its digest.

    Without one it counts as unchanged.
    """
    return SHA256 in value and sealed(value)[SHA256] != value[SHA256]


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file whose first line is the digest of the rest."""
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        file.write(b"xmic sha256 %s\n" % hashlib.sha256(content).hexdigest().encode())
        file.write(content)


def read_sealed(path: Path) -> bytes:
    """Read the content of a file that :func:`write_sealed` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its content is not what was written.
    """
    content = path.read_bytes()
    head = _HEAD.match(content)
    if head is None:
        return content
    content = content[head.end() :]
    if hashlib.sha256(content).hexdigest().encode() != head[1]:
        raise ValueError("its content is not what was written")
    return content
