"""A sample of the damages; python -m tests.reliability.flips makes more of them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.reliability.flips import HOWS, damaged, same_content
from tests.reliability.run_program import run_program


def test_a_damaged_artifact_is_noticed_or_made_again_and_never_believed(tmp_path: Path) -> None:
    said = run_program("flips", "--flips", "57", "--seed", "1", folder=tmp_path)
    counts = re.search(r"(\d+) damages, 0 of them wrongly believed or answered\.", said)
    assert counts is not None, said
    assert int(counts[1]) >= 40
    assert not list(tmp_path.iterdir())


def test_every_damage_changes_the_bytes_and_a_digit_changes_nothing_else() -> None:
    data = json.dumps({"top1": 12.5, "n": 300}).encode()
    for how in HOWS:
        for seed in range(20):
            changed = damaged(data, how, random.Random(seed))
            assert changed != data
            if how == "a digit":
                assert sum(one != other for one, other in zip(changed, data, strict=True)) == 1


def test_only_damage_that_a_reader_cannot_see_counts_as_the_same_content(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": 1e-05}\n')
    assert same_content("a.json", b'{"a": 1E-05}', file)
    assert not same_content("a.json", b'{"a": 1e-06}\n', file)
    assert not same_content("a.json", b'{"a": 1e-0', file)
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    good = (tmp_path / "a.parquet").read_bytes()
    assert same_content("a.parquet", good, tmp_path / "a.parquet")
    assert not same_content("a.parquet", good[:40], tmp_path / "a.parquet")
