"""A sample of the kills; python -m tests.reliability.kills makes all of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reliability.chain_states import contents, differences
from tests.reliability.run_program import run_program


def test_after_a_kill_at_any_moment_the_next_run_writes_the_same_bytes(tmp_path: Path) -> None:
    said = run_program("kills", "--kills", "30", "--seed", "1", folder=tmp_path)
    counts = re.search(r"(\d+) kills, and (\d+) more that came after the end; wrong after 0\.", said)
    assert counts is not None, said
    assert int(counts[1]) + int(counts[2]) == 30
    assert int(counts[1]) >= 20
    assert not list(tmp_path.iterdir())


def test_what_is_missing_left_over_or_changed_is_a_difference(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a")
    before = contents(tmp_path)
    assert differences(contents(tmp_path), before) == []
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_text("other")
    (tmp_path / ".c.tmp").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert differences(contents(tmp_path), before) == [
        ".c.tmp is left over",
        "a is missing",
        "b has other bytes",
        "empty is left over",
        "link has other bytes",
    ]
