from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.json_files import json_object


def _write(folder: Path, text: str) -> Path:
    file = folder / "some.json"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_object_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    assert json_object(_write(tmp_path, '{"a": [1, "ü"]}')) == {"a": [1, "ü"]}
    assert json_object(_write(tmp_path, '\ufeff{"a": 1}\n')) == {"a": 1}


def test_what_is_not_kept_is_gone(tmp_path: Path) -> None:
    file = _write(tmp_path, '{"a": {"a": 1, "b": 2}, "b": 3}')
    assert json_object(file, lambda found: {"a": found.get("a")}) == {"a": {"a": 1}}


def test_a_download_cut_short_anywhere_is_called_that(tmp_path: Path) -> None:
    text = json.dumps({"clips": [{"uid": "a", "t": 1.5, "ok": True}, {"uid": "b", "t": None, "ok": False}]})
    for length in range(1, len(text)):
        file = _write(tmp_path, text[:length])
        with pytest.raises(InputError) as error:
            json_object(file)
        cut = len(text[:length].strip())
        assert str(error.value) == (
            f"{file}: the JSON breaks off after {cut} characters, a download cut short; fetch it again."
        )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not JSON in UTF-8 (Expecting value: line 1 column 1 (char 0))"),
        ("<html>no</html>", "not JSON in UTF-8 (Expecting value: line 1 column 1 (char 0))"),
        ("{'a': 1}", "not JSON in UTF-8 (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[1]", "found a list at the top, expected a JSON object."),
    ],
)
def test_what_is_no_json_object_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    file = _write(tmp_path, text)
    with pytest.raises(InputError) as error:
        json_object(file)
    assert str(error.value) == f"{file}: {what}"


def test_bytes_that_are_no_text_and_nesting_without_end_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    for content in (b'{"a": "\xff"}', b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"some\.json: not JSON in UTF-8"):
            json_object(file)


def test_half_a_character_is_refused_and_a_whole_one_written_in_two_halves_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(r'{"narration": "stir \ud83d\ude00"}')
    assert json_object(file) == {"narration": "stir \U0001f600"}
    file.write_text(r'{"narration": "stir \ud83d"}')
    with pytest.raises(InputError, match=r"x\.json: the escape '\\ud83d' is half a character"):
        json_object(file)
