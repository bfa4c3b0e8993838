"""The faults that need least time; python -m tests.reliability.faults tries all of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reliability.run_program import run_program


def test_locks_of_others_are_refused_broken_or_taken_over_as_they_should(tmp_path: Path) -> None:
    said = run_program("faults", "--only", "locks", folder=tmp_path)
    assert re.search(r"9 tries; 0 went wrong\.", said), said
