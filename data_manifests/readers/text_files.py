"""Read text files of annotations."""

from __future__ import annotations

from pathlib import Path

from data_manifests.errors import InputError


def text_of(file: Path) -> str:
    """Read a text file in UTF-8, without its byte order mark.

    Spreadsheets write such a mark.

    Raises:
        InputError: the file is not in UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a text file in UTF-8 ({error})") from None
