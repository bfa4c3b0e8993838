from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.engine.locks import LEASE_S, LockedElsewhere, ShardLock, exclusive_lock, free_lock, holder_of, said_once

_HOLD = """
import sys
from pathlib import Path
from pipelines.engine.locks import ShardLock
lock = ShardLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
lock.release()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its stdin is closed."""
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def _lease(path: Path, age_s: float, host: str = "node-7", pid: int = 4711) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"host": host, "pid": pid}))
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_a_lock_is_taken_once_and_free_after_release(tmp_path: Path) -> None:
    path = tmp_path / ".locks" / "part-a.parquet.lock"
    one, other = ShardLock(path), ShardLock(path)
    assert one.acquire()
    assert json.loads(path.read_text()) == {"host": socket.gethostname(), "pid": os.getpid()}
    assert not other.acquire()
    one.release()
    one.release()
    assert path.read_text() == ""
    assert other.acquire()
    other.release()


def test_an_error_in_the_block_gives_the_lock_back(tmp_path: Path) -> None:
    lock = ShardLock(tmp_path / "lock")
    assert lock.acquire()
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    assert ShardLock(tmp_path / "lock").acquire()


def test_another_process_holds_it_until_it_ends(tmp_path: Path) -> None:
    holder = _holder(tmp_path / "lock")
    assert not ShardLock(tmp_path / "lock").acquire()
    holder.communicate("", timeout=30)
    lock = ShardLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    holder = _holder(tmp_path / "lock")
    holder.kill()
    holder.communicate(timeout=30)
    assert json.loads((tmp_path / "lock").read_text())["pid"] == holder.pid
    lock = ShardLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()


def test_break_lock_does_not_take_a_lock_that_a_living_process_of_this_host_holds(tmp_path: Path) -> None:
    one = ShardLock(tmp_path / "lock")
    assert one.acquire()
    assert not ShardLock(tmp_path / "lock", break_lock=True).acquire()
    one.release()


def test_a_fresh_lease_of_another_host_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = _lease(tmp_path / "lock", LEASE_S / 2)
    lock = ShardLock(path)
    with pytest.raises(LockedElsewhere) as error:
        lock.acquire()
    assert isinstance(error.value, InputError)
    assert error.value.exit_code == 3
    text = str(error.value)
    assert text.startswith(f"{path} is held by process 4711 on host node-7, seen 6")
    assert text.endswith(
        " s ago (a lock is abandoned after 120 s). Wait for it, or pass --break-lock if that process is surely dead."
    )
    assert json.loads(path.read_text())["host"] == "node-7"
    with pytest.raises(LockedElsewhere):  # the refusal itself must not hold the lock
        ShardLock(path).acquire()


def test_break_lock_takes_a_fresh_lease_of_another_host(tmp_path: Path) -> None:
    lock = ShardLock(_lease(tmp_path / "lock", 0), break_lock=True)
    assert lock.acquire()
    assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    lock.release()


def test_a_stale_lease_of_another_host_is_taken(tmp_path: Path) -> None:
    lock = ShardLock(_lease(tmp_path / "lock", LEASE_S + 1))
    assert lock.acquire()
    lock.release()


def test_what_a_dead_process_of_this_host_left_is_taken(tmp_path: Path) -> None:
    lock = ShardLock(_lease(tmp_path / "lock", 0, host=socket.gethostname()))
    assert lock.acquire()
    lock.release()


@pytest.mark.parametrize("content", ["", "half a js", "[]", "7", "null", "{}"])
def test_a_lock_file_without_a_readable_holder_is_taken(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    lock = ShardLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()


def test_a_held_lock_is_touched_so_that_other_hosts_see_it_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.engine.locks.LEASE_S", 0.02)
    lock = ShardLock(tmp_path / "lock")
    assert lock.acquire()
    os.utime(tmp_path / "lock", (1, 1))
    end = time.monotonic() + 30
    while (tmp_path / "lock").stat().st_mtime < 2:
        assert time.monotonic() < end, "the lock was never touched"
        time.sleep(0.005)
    lock.release()
    os.utime(tmp_path / "lock", (1, 1))
    time.sleep(0.05)
    assert (tmp_path / "lock").stat().st_mtime == 1


def test_a_folder_is_made_alone_and_the_others_wait_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = _holder(tmp_path / "cache" / ".locks" / "made.lock")
    waits: list[float] = []

    def end_it(seconds: float) -> None:
        waits.append(seconds)
        holder.communicate("")

    monkeypatch.setattr("pipelines.engine.locks.time.sleep", end_it)
    with exclusive_lock(tmp_path / "cache" / "made"):
        assert not ShardLock(tmp_path / "cache" / ".locks" / "made.lock").acquire()
    assert len(waits) == 1
    assert ShardLock(tmp_path / "cache" / ".locks" / "made.lock").acquire()


def test_a_fresh_lease_of_another_host_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = _lease(tmp_path / ".locks" / "made.lock", 0)
    monkeypatch.setattr("pipelines.engine.locks.time.sleep", lambda seconds: lease.write_text(""))
    with exclusive_lock(tmp_path / "made"):
        pass
    assert lease.read_text() == ""


@pytest.mark.parametrize("age_s", [0, -86400])
def test_a_lease_that_nobody_touches_is_waited_for_no_longer_than_it_lasts_whatever_the_clocks_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float
) -> None:
    lease, seconds = _lease(tmp_path / ".locks" / "made.lock", age_s), [0.0]
    touches = [lease.stat().st_mtime + 1, lease.stat().st_mtime + 2]
    monkeypatch.setattr("pipelines.engine.locks.time.monotonic", lambda: seconds[0])

    def pass_time(_: float) -> None:
        seconds[0] += LEASE_S - 1
        if touches:
            os.utime(lease, (touches[0], touches.pop(0)))

    monkeypatch.setattr("pipelines.engine.locks.time.time", lambda: lease.stat().st_mtime - max(0, -age_s))
    monkeypatch.setattr("pipelines.engine.locks.time.sleep", pass_time)
    said: list[str] = []
    with exclusive_lock(tmp_path / "made", said_once(said.append, "waiting")):
        assert json.loads(lease.read_text())["pid"] == os.getpid()
    assert not touches, "a living holder was not waited for"
    assert seconds[0] < 5 * LEASE_S
    assert said == ["waiting"]


def test_a_lease_from_the_future_is_refused_with_how_far_the_clocks_differ(tmp_path: Path) -> None:
    path = _lease(tmp_path / "lock", -3600.5)
    with pytest.raises(LockedElsewhere, match=r"seen 3600 s ahead of this host's clock .* pass --break-lock"):
        ShardLock(path).acquire()
    lock = ShardLock(path, break_lock=True)
    assert lock.acquire()
    lock.release()


def test_what_is_done_while_waiting_may_end_the_wait(tmp_path: Path) -> None:
    holder = _holder(tmp_path / ".locks" / "made.lock")

    def give_up() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError), exclusive_lock(tmp_path / "made", give_up):
        raise AssertionError("the lock was held")
    holder.communicate("")
    with exclusive_lock(tmp_path / "made", give_up):
        pass


def test_who_holds_a_lock_is_told_without_touching_it(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "made") is None
    with exclusive_lock(tmp_path / "made"):
        assert holder_of(tmp_path / "made") == f"process {os.getpid()} on host {socket.gethostname()}"
    assert holder_of(tmp_path / "made") is None
    lease = _lease(tmp_path / ".locks" / "made.lock", LEASE_S - 30)
    assert str(holder_of(tmp_path / "made")).startswith("process 4711 on host ")
    lease = _lease(tmp_path / ".locks" / "made.lock", LEASE_S + 30)
    before = lease.stat().st_mtime_ns
    assert holder_of(tmp_path / "made") is None
    assert lease.stat().st_mtime_ns == before
    lease.write_text("{")
    assert holder_of(tmp_path / "made") is None


def test_the_lock_of_a_dead_worker_of_another_host_is_freed_and_no_other(tmp_path: Path) -> None:
    shard = tmp_path / "part-a.parquet"
    lock = _lease(tmp_path / ".locks" / "part-a.parquet.lock", 5)
    free_lock(shard, "process 1 on host node-7")
    with pytest.raises(LockedElsewhere):
        ShardLock(lock).acquire()
    free_lock(shard, "process 4711 on host node-7")
    again = ShardLock(lock)
    assert again.acquire()
    again.release()
