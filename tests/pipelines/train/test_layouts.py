from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.train.layouts import laid_out, seal_layout


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    np.save(tmp_path / "matrix.npy", np.arange(12, dtype=np.float16))
    seal_layout(tmp_path, {"rows": 12})
    return tmp_path


def test_a_whole_layout_gives_its_facts(layout: Path) -> None:
    facts = laid_out(layout)
    assert facts is not None
    assert facts["rows"] == 12


@pytest.mark.parametrize("name", ["matrix.npy", "done.json"])
def test_one_flipped_bit_anywhere_is_a_layout_to_make_again(layout: Path, name: str) -> None:
    whole = (layout / name).read_bytes()
    for byte in range(len(whole)):
        damaged = bytearray(whole)
        damaged[byte] ^= 1
        (layout / name).write_bytes(damaged)
        assert laid_out(layout) is None, byte


@pytest.mark.parametrize("content", ["", "[]", "null", "3", '{"rows": 12}', '{"files": {}}', '{"files": 3}'])
def test_another_record_is_a_layout_to_make_again(layout: Path, content: str) -> None:
    (layout / "done.json").write_text(content)
    assert laid_out(layout) is None


def test_a_missing_file_is_a_layout_to_make_again(layout: Path) -> None:
    (layout / "matrix.npy").unlink()
    assert laid_out(layout) is None
    assert laid_out(layout / "none") is None
    assert json.loads((layout / "done.json").read_text())["files"].keys() == {"matrix.npy"}
