from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.engine.sealed import SHA256, is_changed, read_sealed, sealed, write_sealed


def test_every_flipped_bit_of_a_sealed_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_sealed(path, b"some content\n")
    assert read_sealed(path) == b"some content\n"
    whole = path.read_bytes()
    for at in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        path.write_bytes(damaged)
        # A flip in the first line makes it no seal, and the content begins with that line: no reader takes it.
        if _first_line_is_a_seal(bytes(damaged)):
            with pytest.raises(ValueError, match="not what was written"):
                read_sealed(path)
        else:
            assert read_sealed(path) == bytes(damaged)


def _first_line_is_a_seal(content: bytes) -> bool:
    return re.match(rb"xmic sha256 [0-9a-f]{64}\n", content) is not None


def test_a_file_without_a_seal_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"PK\x03\x04")
    assert read_sealed(tmp_path / "old") == b"PK\x03\x04"


@pytest.mark.parametrize(
    "changed", [{"rows": 4}, {"name": "b"}, {"more": None}, {SHA256: "0" * 64}, {"nested": {"value": 1.5000001}}]
)
def test_a_changed_object_is_told_from_the_sealed_one(changed: dict[str, object]) -> None:
    made = sealed({"rows": 3, "name": "a", "nested": {"value": 1.5}})
    assert not is_changed(made)
    assert sealed(made) == made
    assert is_changed({**made, **changed})
    assert not is_changed({"rows": 3})
