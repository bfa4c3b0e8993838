"""Show the pictures that lie beside a report, with their captions."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from pipelines.engine.atomic import replace_atomically

PICTURES = "pictures"
"""Folder of the pictures below that of the report."""


@dataclass(frozen=True)
class Picture:
    """JPEG as a data URI, with its caption."""

    caption: str
    uri: str


def add_picture(report: Path, name: str, jpeg: bytes, caption: str) -> None:
    """Put a picture beside a report, which shows it from then on.

    Args:
        report: folder of the report.
        name: name of its files, which are replaced.
        jpeg: the picture.
        caption: plain text.
    """
    for suffix, content in (("jpg", jpeg), ("txt", caption.encode())):
        with replace_atomically(report / PICTURES / f"{name}.{suffix}") as temporary:
            temporary.write_bytes(content)


def caption_of(report: Path, name: str) -> str | None:
    """Return the caption of a picture, or None where it is missing."""
    caption = report / PICTURES / f"{name}.txt"
    there = caption.is_file() and caption.with_suffix(".jpg").is_file()
    return caption.read_text("utf-8") if there else None


def pictures(report: Path) -> list[Picture]:
    """Read the pictures of a report that have a caption."""
    found = []
    for file in sorted((report / PICTURES).glob("*.jpg")):
        caption = file.with_suffix(".txt")
        if caption.is_file():
            uri = f"data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
            found.append(Picture(caption.read_text("utf-8"), uri))
    return found
