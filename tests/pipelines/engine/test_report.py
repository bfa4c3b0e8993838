from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import TooManyFailures
from pipelines.engine import report, stage
from pipelines.engine.inspection import Inspection, State, Unit, inspect
from pipelines.engine.shards import read_footer, read_rows, side_path
from pipelines.engine.stage import RunPolicy
from tests.pipelines.engine.stage_fixtures import NumbersStage, run, tree

_MANY: dict[str, Any] = {"max_failures": 1000}


def _stage(tmp_path: Path, fails: dict[str, list[tuple[str, int]]]) -> NumbersStage:
    return NumbersStage(tmp_path / "numbers", fails=fails)


def _message(item: NumbersStage, **choice: Any) -> str:
    with pytest.raises(TooManyFailures) as error:
        run(item, **choice)
    assert error.value.exit_code == 4
    return str(error.value)


@pytest.mark.parametrize("reason", ["timeout", "worker_killed", "out_of_memory", "io_error"])
def test_a_shard_with_a_transient_failure_is_tried_again_by_the_next_run(tmp_path: Path, reason: str) -> None:
    item = _stage(tmp_path, {"b": [(reason, 2), ("decode_error", 1)]})
    assert run(item, **_MANY) == ["a", "b", "c"]
    found = inspect(item, item.unit("b"))
    assert (found.state, found.why) == (
        State.INCOMPLETE,
        "failures that may pass: " + ", ".join(sorted([f"2 {reason}", "1 decode_error"], key=lambda text: text[2:])),
    )
    assert run(item, **_MANY) == ["b"]
    item.fails = {}
    assert run(item) == ["b"]
    assert run(item) == []
    assert tree(item.folder) == tree(_made_without_failures(tmp_path))


def _made_without_failures(tmp_path: Path) -> Path:
    run(NumbersStage(tmp_path / "clean"))
    return tmp_path / "clean"


@pytest.mark.parametrize("reason", ["decode_error", "past_end", "not_finite", "missing_video"])
def test_a_permanent_failure_is_not_tried_again(tmp_path: Path, reason: str) -> None:
    item = _stage(tmp_path, {"b": [(reason, 2)]})
    assert run(item, **_MANY) == ["a", "b", "c"]
    assert run(item, **_MANY) == []


def test_retry_failed_redoes_every_shard_with_a_failure_and_no_other(tmp_path: Path) -> None:
    item = _stage(tmp_path, {"a": [("io_error", 1)], "b": [("decode_error", 2)]})
    run(item, **_MANY)
    plan = stage.plan(item, RunPolicy(retry_failed=True))
    assert [(one.unit.group, one.state, one.why) for one in plan.todo] == [
        ("a", State.INCOMPLETE, "failures that may pass: 1 io_error"),
        ("b", State.INCOMPLETE, "retrying its failed rows"),
    ]
    assert run(item, retry_failed=True, **_MANY) == ["a", "b"]
    item.fails = {}
    assert run(item, retry_failed=True) == ["a", "b"]
    assert run(item, retry_failed=True) == []


def test_failures_are_rows_with_a_reason_and_the_error(tmp_path: Path) -> None:
    item = _stage(tmp_path, {"b": [("decode_error", 2), ("past_end", 1)]})
    report = stage.run(item, RunPolicy(max_failures=3))
    rows = read_rows(side_path(item.folder / "part-b.parquet", "failures")).to_pylist()
    assert [(row["video_id"], row["reason"], row["error"], row["rows"]) for row in rows] == [
        ("b", "decode_error", "what decode_error said", 2),
        ("b", "past_end", "what past_end said", 1),
    ]
    assert (report.rows, report.attempted, report.failed) == (98, 101, 3)
    assert report.failures == {"decode_error": 2, "past_end": 1}
    assert read_footer(item.folder / "part-b.parquet").failures == {"decode_error": 2, "past_end": 1}


def test_too_many_failures_say_how_many_which_the_limit_where_and_what_to_run(tmp_path: Path) -> None:
    item = _stage(tmp_path, {"a": [("timeout", 2)], "b": [("decode_error", 4)], "c": [("missing_video", 9)]})
    assert _message(item) == (
        "numbers: 6 of 104 rows failed (4 decode_error, 9 missing_video, 2 timeout); "
        f"--max-failures allows 5 %. Everything that succeeded is kept in {item.folder}; "
        "the errors are in its failures/ folder. Try the failed rows again with: xmic numbers --retry-failed"
    )
    assert item.made == ["a", "b", "c"]
    lasting = _stage(tmp_path / "lasting", {"b": [("decode_error", 6)]})
    assert _message(lasting).endswith(
        "They would fail again. Mend what the errors name, then run xmic numbers --retry-failed or accept them with "
        "xmic numbers --max-failures 6"
    )
    assert "--max-failures allows 5. " in _message(item, max_failures=5)
    assert "--max-failures allows 2.5 %. " in _message(item, max_failures=0.025)


@pytest.mark.parametrize(
    ("failed", "allowed", "too_many"),
    [(5, 5, False), (6, 5, True), (1, 0, True), (0, 0, False), (2, 0.02, False), (3, 0.02, True), (1, 0.0, True)],
)
def test_exactly_as_many_failures_as_allowed_are_borne(
    tmp_path: Path, failed: int, allowed: float, too_many: bool
) -> None:
    item = NumbersStage(tmp_path / "numbers", sizes={"a": 100 - failed}, fails={"a": [("decode_error", failed)]})
    if too_many:
        assert f"{failed} of 100 rows failed" in _message(item, max_failures=allowed)
    else:
        assert run(item, max_failures=allowed) == ["a"]


def test_missing_videos_are_not_counted_even_when_all_are_missing(tmp_path: Path) -> None:
    item = NumbersStage(tmp_path / "numbers", sizes={"a": 0}, fails={"a": [("missing_video", 500)]})
    assert run(item, max_failures=0) == ["a"]
    assert run(item, max_failures=0) == []


@pytest.mark.parametrize("allowed", [1.0, 10_000])
def test_all_failed_is_always_too_many(tmp_path: Path, allowed: float) -> None:
    fails = {"a": [("decode_error", 3)], "b": [("missing_video", 20)], "c": [("past_end", 2)]}
    item = NumbersStage(tmp_path / "numbers", sizes=dict.fromkeys("abc", 0), fails=fails)
    assert "5 of 5 rows failed (3 decode_error, 20 missing_video, 2 past_end)" in _message(item, max_failures=allowed)
    item.sizes["c"] = 1
    (item.folder / "part-c.parquet").unlink()
    assert run(item, max_failures=allowed) == ["c"]


def test_tasks_of_an_array_are_judged_by_the_whole_once_all_shards_are_made(tmp_path: Path) -> None:
    item = _stage(tmp_path, {"a": [("decode_error", 3)]})
    tasks = [RunPolicy(shard=(i, 8), max_failures=0.04) for i in range(8)]
    first = next(task for task in tasks if task.takes("part-a.parquet"))
    assert stage.run(item, first).failures == {"decode_error": 3}, "3 of 43 rows so far, 3 of 101 in the end"
    assert [stage.run(item, task).remaining for task in tasks][-1] == 0
    strict = [replace(task, max_failures=0.02) for task in tasks]
    with pytest.raises(TooManyFailures, match="3 of 101 rows failed"):
        stage.run(item, strict[0])


def test_a_task_of_an_array_in_which_everything_failed_says_so_at_once(tmp_path: Path) -> None:
    item = NumbersStage(tmp_path, sizes=dict.fromkeys("abc", 0), fails={g: [("decode_error", 2)] for g in "abc"})
    policy = next(policy for i in range(8) if (policy := RunPolicy(shard=(i, 8))).takes("part-a.parquet"))
    with pytest.raises(TooManyFailures):
        stage.run(item, policy)


def test_failures_of_shards_made_earlier_count_too(tmp_path: Path) -> None:
    item = _stage(tmp_path, {"a": [("decode_error", 30)]})
    assert "30 of 70 rows failed" in _message(item, limit=1)
    assert "30 of 128 rows failed" in _message(item)
    assert "30 of 128 rows failed" in _message(item)
    assert item.made == ["a", "b", "c"]


def test_a_run_with_nothing_to_do_reads_each_shard_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = NumbersStage(tmp_path / "numbers")
    run(item)
    read: list[str] = []

    def noted(shown: NumbersStage, unit: Unit) -> Inspection:
        read.append(unit.group)
        return inspect(shown, unit)

    monkeypatch.setattr(stage, "inspect", noted)
    monkeypatch.setattr(report, "inspect", noted)
    assert stage.run(item).shards == 3
    assert read == ["a", "b", "c"]
    side_path(item.unit("b").path, "failures").unlink()
    read.clear()
    assert stage.run(item).made == 1  # then what is there now is counted
    assert sorted(read) == ["a", "a", "b", "b", "b", "c", "c"]
