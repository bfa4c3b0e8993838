from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.engine.progress import Silent
from pipelines.engine.workers import Outcome, WorkerBug
from pocket_kitchens.missing import make_missing


def _write(path: Path, heartbeat: Callable[[], None]) -> None:
    if path.name == "bad":
        raise PermissionError("not this one")
    if path.name == "wrong":
        raise TypeError("no such argument")
    path.write_text("made")


def _failed(outcome: Outcome) -> LookupError:
    return LookupError(f"{outcome.reason}: {outcome.error}")


def test_only_missing_files_are_made_and_a_failure_raises_the_callers_error(tmp_path: Path) -> None:
    files = [(tmp_path / name, tmp_path / name) for name in ("a", "b", "c")]
    files[1][0].write_text("mine")
    assert make_missing("draw", _write, files, 1, 60.0, _failed, Silent()) == 2
    assert [path.read_text() for path, _ in files] == ["made", "mine", "made"]
    with pytest.raises(LookupError, match="PermissionError: .*not this one"):
        make_missing("draw", _write, [*files, (tmp_path / "bad", tmp_path / "bad")], 1, 60.0, _failed, Silent())


def test_a_mistake_in_what_draws_is_no_failure_of_the_machine(tmp_path: Path) -> None:
    files = [(tmp_path / name, tmp_path / name) for name in ("a", "wrong")]
    with pytest.raises(WorkerBug, match=r"in _write\n(?s:.*)TypeError: no such argument"):
        make_missing("draw", _write, files, 1, 60.0, _failed, Silent())
    assert files[0][0].read_text() == "made"
