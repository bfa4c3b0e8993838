"""Text files of annotations."""

from __future__ import annotations

from pathlib import Path

from data_manifests.errors import InputError


def text_of(file: Path) -> str:
    """The text of a file, without the byte order mark that spreadsheets write.

    Raises:
        InputError: it is not in UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a text file in UTF-8 ({error})") from None
