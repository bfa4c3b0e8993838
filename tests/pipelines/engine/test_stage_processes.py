"""The contract when processes are killed or work side by side: real processes, real SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from pipelines.engine import stage
from pipelines.engine.inspection import State, inspect
from pipelines.engine.locks import LockedElsewhere, ShardLock
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from tests.pipelines.engine.stage_fixtures import NumbersStage, run, start, tree, wait_until


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every byte of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(NumbersStage(folder))
    return tree(folder)


def _killed(folder: Path, *arguments: str) -> None:
    process = start(folder, *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors


@pytest.mark.parametrize("moment", ["writing", "sides", "shard", "done"])
def test_a_kill_leaves_finished_shards_and_the_next_run_the_bytes_of_an_uninterrupted_one(
    tmp_path: Path, uninterrupted: dict[str, bytes], moment: str
) -> None:
    folder = tmp_path / "numbers"
    _killed(folder, "--die-in", f"{moment}:b")
    after = tree(folder)
    finished = ["part-a.parquet", *(["part-b.parquet"] if moment == "done" else [])]
    assert [name for name in after if name.startswith("part-")] == finished
    assert {name: uninterrupted[name] for name in finished}.items() <= after.items()
    leftovers = [name for name in after if name.endswith(".tmp")]
    assert bool(leftovers) == (moment != "done")
    item = NumbersStage(folder)
    assert run(item) == (["c"] if moment == "done" else ["b", "c"])
    assert tree(folder) == uninterrupted


@pytest.mark.parametrize("moment", ["writing", "sides", "shard"])
def test_a_kill_while_a_shard_is_redone_leaves_the_previous_one_until_the_rename(tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "numbers"
    run(NumbersStage(folder))
    previous = tree(folder)
    _killed(folder, "--factor", "4", "--die-in", f"{moment}:b")
    after = tree(folder)
    assert after["part-b.parquet"] == previous["part-b.parquet"]
    assert after["part-a.parquet"] != previous["part-a.parquet"]
    item = NumbersStage(folder, factor=4)
    assert run(item) == ["b", "c"]
    whole = tmp_path / "whole"
    run(NumbersStage(whole, factor=4))
    assert tree(folder) == tree(whole)


def test_a_shard_whose_side_parts_were_renamed_before_a_kill_does_not_pass_for_done(
    tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    folder = tmp_path / "numbers"
    run(NumbersStage(folder))
    _killed(folder, "--factor", "4", "--die-in", "shard:b")
    assert tree(folder)["part-b.parquet"] == uninterrupted["part-b.parquet"]
    assert tree(folder)["notes/part-b.parquet"] != uninterrupted["notes/part-b.parquet"]
    item = NumbersStage(folder)  # wants what the shard itself still is
    found = inspect(item, item.unit("b"))
    assert (found.state, found.why) == (
        State.DAMAGED,
        "its side part notes/part-b.parquet is missing or of another run",
    )
    assert run(item) == ["a", "b"]
    assert tree(folder) == uninterrupted


def test_processes_with_a_share_each_give_the_bytes_of_one(tmp_path: Path, uninterrupted: dict[str, bytes]) -> None:
    folder = tmp_path / "numbers"
    processes = [start(folder, "--shard", f"{i}/8") for i in (6, 7, 5, 4)]
    made = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        made.append(output.split())
    assert made == [["a"], ["b"], ["c"], []]
    assert tree(folder) == uninterrupted


class _Notes(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: str) -> None:
        self.heard.append(text)


def _run_beside_a_holder(folder: Path, gate: Path, *, kill: bool) -> tuple[NumbersStage, stage.Report]:
    """Run the stage while another process is in the middle of group b; ended once we wait for it."""
    gate.touch()
    other = start(folder, "--shard", "7/8", "--hold", "b", str(gate))
    wait_until(lambda: any(folder.glob(".part-b.parquet.*.tmp")))
    item, notes = NumbersStage(folder), _Notes()
    reports: list[stage.Report] = []
    mine = threading.Thread(target=lambda: reports.append(stage.run(item, progress=notes)))
    mine.start()
    wait_until(lambda: bool(notes.heard))
    assert notes.heard == ["1 shards are being made by another process; waiting for them"]
    assert item.made == ["a", "c"]
    if kill:
        other.kill()
    gate.unlink()
    mine.join(60)
    other.communicate(timeout=60)
    assert not mine.is_alive()
    return item, reports[0]


def test_a_shard_another_process_is_making_is_waited_for_and_found_done(
    tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    folder = tmp_path / "numbers"
    item, report = _run_beside_a_holder(folder, tmp_path / "gate", kill=False)
    assert item.made == ["a", "c"]
    assert (report.made, report.already_done, report.remaining) == (2, 1, 0)
    assert tree(folder) == uninterrupted


def test_a_shard_of_a_killed_process_is_made_by_the_one_that_waited(
    tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    folder = tmp_path / "numbers"
    item, report = _run_beside_a_holder(folder, tmp_path / "gate", kill=True)
    assert item.made == ["a", "c", "b"]
    assert (report.made, report.already_done, report.remaining) == (3, 0, 0)
    assert tree(folder) == uninterrupted


def test_failed_rows_that_another_process_has_retried_well_are_not_retried_again(tmp_path: Path) -> None:
    folder = tmp_path / "numbers"
    run(NumbersStage(folder, fails={"b": [("io_error", 1)]}))
    retried: list[str] = []

    def other_process_meanwhile(group: str, row: int) -> None:
        if group == "a" and not retried:
            retried.extend(run(NumbersStage(folder, sizes={"b": 55}), retry_failed=True))

    (folder / "part-a.parquet").unlink()
    item = NumbersStage(folder, at_row=other_process_meanwhile)
    assert run(item, retry_failed=True) == ["a"]
    assert retried == ["b"]


def _leased(folder: Path, group: str) -> Path:
    path = folder / ".locks" / f"part-{group}.parquet.lock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"host": "node-7", "pid": 4711}))
    return path


def test_a_lock_of_another_host_ends_the_run_with_what_was_made_kept(tmp_path: Path) -> None:
    folder = tmp_path / "numbers"
    path = _leased(folder, "b")
    item = NumbersStage(folder)
    with pytest.raises(LockedElsewhere, match=r"held by process 4711 on host node-7.*pass --break-lock"):
        run(item)
    assert item.made == ["a"]
    assert ShardLock(folder / ".locks" / "part-a.parquet.lock").acquire()
    assert run(item, shard=(5, 8)) == ["c"]
    assert run(item, break_lock=True) == ["b"]
    assert path.read_text() == ""


def test_an_abandoned_lock_of_another_host_stops_nothing(tmp_path: Path) -> None:
    path = _leased(tmp_path / "numbers", "b")
    os.utime(path, (1, 1))
    item = NumbersStage(tmp_path / "numbers")
    report = stage.run(item, RunPolicy())
    assert (item.made, report.remaining) == (["a", "b", "c"], 0)


def test_a_task_waits_for_the_lock_of_a_dead_host_and_makes_the_other_shards_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _leased(tmp_path / "numbers", "b")
    waits: list[float] = []

    def lease_ends(seconds: float) -> None:
        waits.append(seconds)
        os.utime(path, (1, 1))

    monkeypatch.setattr("pipelines.engine.stage.time.sleep", lease_ends)
    item = NumbersStage(tmp_path / "numbers")
    assert run(item, wait_lock_s=60) == ["a", "c", "b"]
    assert len(waits) == 1


def test_a_lock_of_another_host_that_outlives_the_wait_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leased(tmp_path / "numbers", "b")
    now = [0.0]
    monkeypatch.setattr("pipelines.engine.stage.time.monotonic", lambda: now[0])

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("pipelines.engine.stage.time.sleep", pass_time)
    item = NumbersStage(tmp_path / "numbers")
    with pytest.raises(LockedElsewhere, match="held by process 4711 on host node-7"):
        run(item, wait_lock_s=30)
    assert (item.made, now[0]) == (["a", "c"], 30.0)
