"""Keep blocks of remote files on a local disk, in bounded space.

Several processes share the folder. A block is written under a temporary name and renamed. The number of bytes is kept
in the file ``bytes``, which is locked while a block is written, so the bound holds at every moment. The blocks that
were used least recently go first.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_manifests.remote.errors import RemoteError

_ENDING, _PART = ".block", ".part"
_ROOM = 0.9
"""Share of the limit that is left filled when room is made, so that it is made rarely."""
_WAIT_S = 0.2


class Blocks:
    """Blocks by key and number, in one folder.

    Args:
        folder: made at the first :meth:`put`. It should be on a disk of this machine.
        limit: bytes that all blocks may take together.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    def get(self, key: str, number: int, size: int) -> bytes | None:
        """Return a block; None when it is not there in full.

        Args:
            key: name of the file's content.
            number: number of the block in the file.
            size: bytes that it has.
        """
        file = self._file(key, number)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            return None
        if len(data) != size:
            return None
        with suppress(OSError):  # another process may have removed it by now
            os.utime(file)
        return data

    def put(self, key: str, number: int, data: bytes) -> None:
        """Keep a block, and remove those used least recently if need be.

        Raises:
            RemoteError: the folder cannot be written.
        """
        file = self._file(key, number)
        temporary = file.with_suffix(_PART)
        with self._errors(), self._locked() as total:
            if file.exists():
                return  # another process was faster
            self._reserve(total, len(data))
            temporary.write_bytes(data)
            temporary.replace(file)

    def whole(self, key: str, size: int, url: str, download: Callable[[Callable[[bytes], object]], None]) -> int:
        """Open a whole file, kept as one block.

        It is downloaded if need be. A process that wants the file while another one downloads it waits for that.

        Args:
            key: name of the file's content.
            size: bytes that it has.
            url: its address, for messages.
            download: calls its argument with the parts of the file, in order.

        Returns:
            Descriptor of the file, open for reading. It stays readable when the block is removed.

        Raises:
            RemoteError: the file is larger than the limit or than what came, or the folder cannot be written.
        """
        if size > self._limit:
            raise RemoteError(
                f"{url}: the server sends whole files only, and this one of {size / 1e9:.1f} GB is larger than "
                f"--scratch-size, {self._limit / 1e9:.1f} GB. Allow more, or copy the file to a local folder."
            )
        file = self._file(key, 0)
        with self._errors(), self._one_at_a_time(file):
            if not file.is_file() or file.stat().st_size != size:
                self._download(file, size, url, download)
            with suppress(OSError):
                os.utime(file)
            return os.open(file, os.O_RDONLY)

    def _download(self, file: Path, size: int, url: str, download: Callable[[Callable[[bytes], object]], None]) -> None:
        part = file.with_suffix(_PART)
        with self._locked() as total:
            self._reserve(total, size)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)  # tells that it is no leftover
            os.ftruncate(handle, size)  # counts in full from the start
        try:
            with os.fdopen(handle, "wb") as target:
                download(target.write)
                came = target.tell()
            if came != size:
                raise RemoteError(f"{url}: {came} of {size} bytes came. The same command tries again.", final=False)
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    @contextmanager
    def _one_at_a_time(self, file: Path) -> Iterator[None]:
        from data_manifests.remote.access import beat

        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{file.name}.lock").open("wb") as lock:
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                beat()
                time.sleep(_WAIT_S)
            yield

    def _file(self, key: str, number: int) -> Path:
        return self._folder / f"{key}-{number}{_ENDING}"

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Lock the folder; give the descriptor of the file with the number of bytes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / "bytes", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def _reserve(self, total: int, size: int) -> None:
        text = os.pread(total, 32, 0).strip()
        used = int(text) if text.isdigit() else self._limit  # unknown: count them
        if used + size > self._limit:
            used = self._make_room(size)
        # Written first: a process that is killed now leaves a number that is too large, and the next count mends it.
        os.ftruncate(total, 0)
        os.pwrite(total, str(used + size).encode(), 0)

    def _make_room(self, size: int) -> int:
        """Remove blocks until ``size`` bytes fit; return the bytes of those that stay."""
        found: list[tuple[int, int, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(_PART) and _is_leftover(Path(entry.path)):
                    Path(entry.path).unlink(missing_ok=True)
                elif entry.name.endswith((_ENDING, _PART)):
                    with suppress(FileNotFoundError):
                        stat = entry.stat()
                        found.append((stat.st_mtime_ns, stat.st_size, entry.path))
        used = sum(item[1] for item in found)
        for _, length, path in sorted(found):
            if used + size <= _ROOM * self._limit or path.endswith(_PART):
                continue
            Path(path).unlink(missing_ok=True)
            used -= length
        return used

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except RemoteError:
            raise
        except OSError as error:
            raise RemoteError(
                f"{self._folder}: local copies of remote files cannot be kept here ({error.strerror or error}). Make "
                "room, or name another folder with --scratch."
            ) from error


def _is_leftover(part: Path) -> bool:
    """Tell the part of a killed process from one that is being written."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
