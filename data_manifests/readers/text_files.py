"""Read text files of annotations."""

from __future__ import annotations

import codecs
from pathlib import Path

from data_manifests.errors import InputError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_of(file: Path) -> str:
    """Read a text file in UTF-8 or UTF-16.

    UTF-16 needs a byte order mark, which spreadsheets write in both. It is no part of the text.

    Raises:
        InputError: the file has another encoding.
    """
    content = file.read_bytes()
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith(_UTF_16):
            raise InputError(
                f"{file}: not a text file in UTF-8 (it begins as UTF-16 does, but at byte {error.start}: "
                f"{error.reason}; it may be cut off). Save it in UTF-8."
            ) from None
        raise InputError(f"{file}: not a text file in UTF-8 ({_wrong_byte(error)}). {_mended(file)}") from None
    if "\0" in text[:2]:
        why = "it begins with a zero byte, as UTF-16 without a mark does"
        raise InputError(f"{file}: not a text file in UTF-8 ({why}). {_mended(file)}")
    return text


def _wrong_byte(error: UnicodeDecodeError) -> str:
    wrong = error.object[error.start : error.start + 1]
    line = error.object[: error.start].count(b"\n") + 1
    return f"line {line}: byte 0x{wrong.hex()}, in Windows-1252 {wrong.decode('cp1252', 'replace')!r}"


def _mended(file: Path) -> str:
    return (
        "Save it in UTF-8, in a spreadsheet as 'CSV UTF-8'. "
        f"If it is in Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 '{file.name}' > FILE."
    )
