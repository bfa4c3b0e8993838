from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine import stage
from pipelines.engine.inspection import State, inspect
from tests.pipelines.engine.stage_fixtures import NumbersStage


@pytest.fixture
def made(tmp_path: Path) -> NumbersStage:
    """A stage whose three shards are made."""
    item = NumbersStage(tmp_path / "numbers")
    assert stage.run(item).made == 3
    return item


def test_who_does_not_know_every_input_takes_the_others_for_unchanged(made: NumbersStage) -> None:
    (unit, *_) = made.units()

    def state(**inputs: str) -> tuple[State, str]:
        item = inspect(made, replace(unit, inputs=inputs), as_recorded=True)
        return item.state, item.why

    assert inspect(made, replace(unit, inputs={})).state is State.STALE
    assert state() == state(upstream="a") == state(hands="not read by it") == (State.DONE, "")
    assert state(upstream="another digest") == (State.STALE, "input upstream changed")
    unit.path.unlink()
    assert state() == (State.MISSING, "not made yet")


@pytest.mark.parametrize(
    ("params", "inputs", "why"),
    [
        ({"factor": 3}, {}, "names is gone"),
        ({"factor": 3, "names": ["n", "vector"], "margin": 1}, {}, "margin is new"),
        ({"factor": 4, "names": ["n"]}, {}, "factor changed from 3 to 4 and 1 more"),
        (None, {}, "input upstream is gone"),
        (None, {"upstream": "a", "hands": "x", "text": "y"}, "input hands is new and 1 more"),
        (None, {"upstream": "z", "hands": "x"}, "input hands is new and 1 more"),
    ],
)
def test_every_kind_of_difference_is_put_in_words(
    made: NumbersStage, params: dict[str, Any] | None, inputs: dict[str, str], why: str
) -> None:
    @dataclass
    class Changed(NumbersStage):
        @property
        def params(self) -> dict[str, Any]:
            return params or dict(made.params)

    unit = made.unit("a")
    if params is None:
        unit = replace(unit, inputs=inputs)
    assert inspect(Changed(made.folder), unit).why == why
