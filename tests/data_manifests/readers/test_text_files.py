from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.text_files import text_of


def test_a_byte_order_mark_is_no_part_of_the_text_and_line_ends_stay(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes("Löffel\r\n".encode("utf-8-sig"))
    assert text_of(file) == "Löffel\r\n"


def test_a_file_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes("Löffel".encode("latin-1"))
    with pytest.raises(InputError) as error:
        text_of(file)
    assert str(error.value).startswith(f"{file}: not a text file in UTF-8 (")
