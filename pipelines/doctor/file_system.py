"""Try what xmic needs of a workspace's file system, for ``doctor``.

Every promise is tried for real in a temporary folder. ``doctor`` runs this file as a process, since a network disk may
hang. Only the standard library is imported. What one machine sees is tried, not what several see of each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REPLACED, _LONGEST_S = 100, 1.0
_CONTENTS = (b"old" * 20_000, b"new" * 20_000)
_CLOCK_S = 30.0
"""Seconds by which clocks may differ: a lock of another host counts as abandoned after four times as many."""


@dataclass(frozen=True)
class Promise:
    """Promise of a file system.

    Attributes:
        name: short name.
        what: what is promised, in words.
        needed: xmic relies on it in a workspace.
        attempt: function that tries it in an empty folder. It returns what was found, and raises :class:`Broken`.
    """

    name: str
    what: str
    needed: bool
    attempt: Callable[[Path], str]


class Broken(Exception):
    """Exception for a promise that is not kept, with what was found."""


def _replace(folder: Path) -> str:
    for content in _CONTENTS:
        (folder / "temporary").write_bytes(content)
        (folder / "temporary").replace(folder / "file")
    if (folder / "file").read_bytes() != _CONTENTS[1] or (folder / "temporary").exists():
        raise Broken("the new content is not there after the rename")
    return "a file takes the place of another"


def _whole(folder: Path) -> str:
    file = folder / "file"
    file.write_bytes(_CONTENTS[0])
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set() and not wrong:
            try:
                found = file.read_bytes()
            except FileNotFoundError:
                wrong.append("for a moment there was no file")
            except OSError as error:
                wrong.append(f"reading failed: {error.strerror}")
            else:
                if found not in _CONTENTS:
                    wrong.append(f"a reader saw {len(found)} of {len(_CONTENTS[0])} bytes, or a mixture")

    reader = threading.Thread(target=read)
    reader.start()
    until, count = time.monotonic() + _LONGEST_S, 0
    try:
        while count < _REPLACED and time.monotonic() < until and not wrong:
            (folder / "temporary").write_bytes(_CONTENTS[count % 2])
            (folder / "temporary").replace(file)
            count += 1
    finally:
        done.set()
        reader.join()
    if wrong:
        raise Broken(wrong[0])
    return f"old or new in each reading, over {count} renames"


def _open(folder: Path) -> str:
    file = folder / "file"
    file.write_bytes(_CONTENTS[0])
    with file.open("rb") as before:
        before.read(1)
        _replace(folder)
        before.seek(0)
        if before.read() != _CONTENTS[0]:
            raise Broken("the open file has other content after it was replaced")
    return "the old content, to the end"


def _fsync(folder: Path) -> str:
    with (folder / "file").open("wb") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return "of a file and of a folder"


_TAKE = (
    "import fcntl, sys, time\n"
    "file = open(sys.argv[1], 'r+b')\n"
    "try:\n"
    "    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    "except BlockingIOError:\n"
    "    print('refused', flush=True)\n"
    "else:\n"
    "    print('taken', flush=True)\n"
    "    time.sleep(600)\n"
)


def _flock(folder: Path) -> str:
    (folder / "lock").touch()

    def another() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _TAKE, str(folder / "lock")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    with (folder / "lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process, said = another()
        process.kill()
        process.communicate()
        if said != "refused":
            raise Broken("two processes hold the same lock")
    process, said = another()
    try:
        if said != "taken":
            raise Broken("a lock that was given back is still held")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with (folder / "lock").open("r+b") as file:
        for _ in range(50):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return "between processes of this machine; a killed holder gives it back"
            except BlockingIOError:
                time.sleep(0.1)
    raise Broken("a killed process keeps its lock")


def _clock(folder: Path) -> str:
    with (folder / "lock").open("wb") as file:
        os.utime(folder / "lock", (0, 0))
        os.utime(file.fileno())
        apart = (folder / "lock").stat().st_mtime - time.time()
    if abs(apart) > _CLOCK_S:
        raise Broken(f"a file that is touched now has a time {apart:+.0f} s off this machine's clock")
    return f"a touched file has this machine's time ({apart:+.1f} s)"


def _exclusive(folder: Path) -> str:
    winners = []

    def create(number: int) -> None:
        try:
            os.close(os.open(folder / f"file{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return
        winners.append(number)

    for number in range(20):
        threads = [threading.Thread(target=create, args=(number,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if sorted(winners) != list(range(20)):
        raise Broken(f"{len(winners)} creators of 20 files were told that they are the first")
    return "one of four creators"


def _symbolic_link(folder: Path) -> str:
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to("file")
    if (folder / "link").read_bytes() != b"x":
        raise Broken("it does not lead to its file")
    return "so is runs/latest"


def _hard_link(folder: Path) -> str:
    (folder / "file").write_bytes(b"x")
    (folder / "link").hardlink_to(folder / "file")
    if (folder / "link").stat().st_nlink != 2:
        raise Broken("it is a copy")
    return "xmic makes none"


def _letter_case(folder: Path) -> str:
    (folder / "name").touch()
    if (folder / "NAME").exists():
        raise Broken("names that differ by letter case alone are one file")
    return "names that differ by letter case are two files"


_NANOSECONDS = 1_700_000_001_123_456_789


def _times(folder: Path) -> str:
    file = folder / "file"
    file.touch()
    os.utime(file, ns=(_NANOSECONDS, _NANOSECONDS))
    kept = file.stat().st_mtime_ns
    for step, name in ((1, "1 ns"), (100, "100 ns"), (10**3, "1 µs"), (10**6, "1 ms")):
        if kept == _NANOSECONDS // step * step:
            return f"in steps of {name}"
    raise Broken(f"a time is kept {abs(kept - _NANOSECONDS) / 1e9:.1f} s off")


PROMISES = (
    Promise("replace", "a file is renamed over another", True, _replace),
    Promise("whole", "a reader sees the old file or the new one while it is replaced", True, _whole),
    Promise("open", "an open file stays readable when it is replaced", True, _open),
    Promise("fsync", "written data is asked onto the disk", True, _fsync),
    Promise("flock", "a lock keeps other processes out", True, _flock),
    Promise("clock", "the time of a touched lock can be compared", True, _clock),
    Promise("symlink", "symbolic links", True, _symbolic_link),
    Promise("exclusive", "a file is created by one process only (O_EXCL)", False, _exclusive),
    Promise("hard-link", "hard links", False, _hard_link),
    Promise("case", "letter case tells names apart", False, _letter_case),
    Promise("times", "file times are finer than a second", False, _times),
)
"""What is tried, in this order."""


def try_promises(place: Path, promises: tuple[Promise, ...] = PROMISES) -> Iterator[dict[str, Any]]:
    """Try each promise in a temporary folder of a place.

    Yields:
        Name, 'holds' and 'found' of each promise, as soon as it is known.

    Raises:
        OSError: no folder can be made in the place.
    """
    folder = Path(tempfile.mkdtemp(prefix=".xmic-doctor-", dir=place))
    try:
        for promise in promises:
            inner = folder / promise.name
            inner.mkdir()
            try:
                found, holds = promise.attempt(inner), True
            except Broken as error:
                found, holds = str(error), False
            except OSError as error:
                found, holds = f"refused: {error.strerror or error}", False
            yield {"name": promise.name, "holds": holds, "found": found}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kind_of_file_system(place: Path) -> str | None:
    """Return the kind of a folder's file system, such as ext4.

    Returns:
        None where the system does not say (not Linux).
    """
    table = Path("/proc/self/mountinfo")
    if not table.is_file():
        return None
    best: tuple[int, str] = (-1, "")
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ")
        if place.is_relative_to(mount) and len(mount) >= best[0]:
            best = len(mount), after.split()[0]
    return best[1] or None


def examine_file_system(workspace: Path, timeout_s: float) -> dict[str, Any]:
    """Try the promises of a workspace's file system.

    A process of its own tries them.

    Args:
        workspace: the folder; where it does not exist, its nearest folder that does is tried.
        timeout_s: seconds after which the file system counts as hanging.

    Returns:
        'path', 'kind', and 'promises': each with name, what, needed, holds and found. 'holds' is None for those after
        one that hung. 'error' where nothing could be tried.
    """
    place = workspace.absolute()
    while not place.is_dir():
        place = place.parent
    result: dict[str, Any] = {"path": str(place), "kind": kind_of_file_system(place.resolve()), "promises": []}
    command = [sys.executable, "-I", __file__, str(place)]
    hung = False
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
        answers, said = done.stdout, done.stderr.decode(errors="replace").strip().splitlines()
    except subprocess.TimeoutExpired as error:
        answers, said, hung = error.stdout or b"", [], True
    known = {item["name"]: item for item in map(json.loads, answers.decode().splitlines())}
    if not known and not hung:
        return {**result, "error": f"{place}: nothing could be tried ({said[-1] if said else 'no answer'})"}
    for promise in PROMISES:
        fact = {"name": promise.name, "what": promise.what, "needed": promise.needed}
        if promise.name in known:
            result["promises"].append({**fact, **known[promise.name]})
        else:
            found = f"did not finish in {timeout_s:g} s" if hung else "not tried"
            result["promises"].append({**fact, "holds": False if hung else None, "found": found})
            hung = False
    return result


if __name__ == "__main__":
    for answer in try_promises(Path(sys.argv[1])):
        print(json.dumps(answer), flush=True)
