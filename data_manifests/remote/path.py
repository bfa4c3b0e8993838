"""Name remote files and folders by paths.

A :class:`RemotePath` is used in the place of a :class:`pathlib.Path`: what reads a file or lists a folder asks the
store. A library that wants the name of a local file is refused, with what to do instead.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Generator, Iterator
from pathlib import Path, PosixPath
from typing import Any, NoReturn

from data_manifests.errors import UsageError
from data_manifests.remote.errors import Forbidden
from data_manifests.remote.stores import SCHEMES, Entry, ask, is_listed, list_folder

_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/+(.*)", re.DOTALL)


def path_of(text: str | Path) -> Path:
    """Return the path that a text names, on disk or remote.

    A path that was made of an address before has one slash less; it is read in the same way.

    Raises:
        UsageError: an address names no host or bucket, or holds a password.
    """
    if isinstance(text, RemotePath):
        return text
    found = _ADDRESS.fullmatch(str(text))
    if not found:
        return Path(text)
    first = found[2].partition("/")[0]
    if not first:
        raise UsageError(f"{text}: expected {found[1]}://NAME/…, with a bucket or host")
    if "@" in first and found[1] != "hf":
        raise UsageError(
            f"{found[1]}://…@{first.rpartition('@')[2]}: an address with a password would be saved in the workspace; "
            "leave it out, and log in as the store's own tools do"
        )
    return RemotePath(f"{found[1]}:", found[2])


def is_remote(path: Path | str) -> bool:
    """Tell an address from a path on disk."""
    return _ADDRESS.fullmatch(str(path)) is not None


def refuse_address(path: Path | str) -> Path:
    """Return a path on disk as it is, and refuse an address.

    Addresses of the hub (hf://) pass: weights and runs are fetched from there by their own means.

    Raises:
        UsageError: it is an address of another store.
    """
    found = path_of(path)
    if isinstance(found, RemotePath) and found.parts[0] != "hf:":
        os.fspath(found)
    return Path(path)


def refuse_remote_workspace(folder: Path | str) -> None:
    """Refuse a workspace in a store.

    Raises:
        UsageError: the folder is an address.
    """
    if is_remote(str(folder)):
        raise UsageError(
            f"workspace {path_of(folder)}: a workspace lies on a disk, of this machine or a shared one, for its files "
            "are locked, and renamed into place. Only annotations and videos are read from stores (docs/storage.md). "
            "Name a folder, and copy the finished workspace to the store."
        )


class RemotePath(PosixPath):
    """Address of a remote file or folder.

    Joining, names and parents are those of paths. ``str`` gives the address.
    """

    def __str__(self) -> str:
        text = super().__str__()
        found = _ADDRESS.fullmatch(text)
        return f"{found[1]}://{found[2]}" if found else text  # a part of one is relative

    def __fspath__(self) -> str:
        """Refuse to be the name of a local file.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self}: this is read from a local disk only. Copy it to a local folder and name that (docs/storage.md "
            "lists what is read from object stores)."
        )

    @property
    def name(self) -> str:
        """Last part of the address, without what follows a question mark."""
        return super().name.partition("?")[0] if self.parts[0].startswith("http") else super().name

    @property
    def version(self) -> str:
        """Text that changes when the content does; see :class:`Entry`."""
        return self._there().version

    @property
    def _top(self) -> bool:
        """Whether it is a bucket, a host or a repository."""
        if self.parts[0] != "hf:":
            return len(self.parts) <= 2
        return len(self.parts) <= (4 if self.parts[1] in ("datasets", "spaces") else 3)

    def _entry(self) -> Entry | None:
        """Return the facts by the listing of the folder, where that is known, else by the name."""
        if not self._top and is_listed(str(self.parent)):
            listing = list_folder(str(self.parent))
            if listing is not None:
                return listing.get(super().name)
        return ask(str(self))

    def _there(self) -> Entry:
        entry = self._entry()
        if entry is None:
            raise FileNotFoundError(2, "not found", str(self))
        return entry

    def _looked_up(self) -> Entry | None:
        """Return the facts by the listing of the folder, which is asked for if need be."""
        if not self._top:
            list_folder(str(self.parent))
        return self._entry()

    def exists(self, **_: Any) -> bool:
        """Check whether there is a file or folder."""
        return self.is_dir() if self._top else self._looked_up() is not None

    def is_file(self, **_: Any) -> bool:
        """Check whether there is a file, by listing its folder once."""
        if self._top:
            return False
        found = self._looked_up()
        return found is not None and not found.folder

    def is_dir(self, **_: Any) -> bool:
        """Check whether there is a folder.

        Where the store lists nothing, each address may be one that is no file.
        """
        if not self._top and is_listed(str(self.parent)):
            listing = list_folder(str(self.parent))
            if listing is not None:
                found = listing.get(super().name)
                return found is not None and found.folder
        listing = list_folder(str(self))
        if listing is not None or self._top:
            return listing is None or bool(listing)
        try:
            entry = ask(str(self))
        except Forbidden:  # the folder's own page is; its files may be readable
            return True
        return entry is None or entry.folder

    def is_symlink(self) -> bool:
        """Return False: stores have no links."""
        return False

    def stat(self, **_: Any) -> os.stat_result:
        """Return kind and size; there is no other fact.

        Raises:
            FileNotFoundError: there is nothing.
        """
        entry = self._there()
        kind = stat.S_IFDIR if entry.folder else stat.S_IFREG
        return os.stat_result((kind | 0o444, 0, 0, 1, 0, 0, entry.size, 0, 0, 0))

    def iterdir(self) -> Generator[RemotePath, None, None]:
        """List the folder; a web server lists nothing."""
        for name in sorted(list_folder(str(self)) or {}):
            yield self / name

    def open(self, mode: str = "r", buffering: int = -1, encoding: str | None = None, *_: Any) -> Any:
        """Open the file for reading.

        Raises:
            FileNotFoundError: there is no such file.
            RemoteError: the store cannot be asked.
        """
        from data_manifests.remote.file import RemoteFile

        if set(mode) - set("rbt"):
            self.__fspath__()
        file = RemoteFile(str(self), self.name, self._there())
        if buffering == 0:
            return file
        buffered = io.BufferedReader(file, 1 << 16)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding=encoding or "utf-8")

    def resolve(self, strict: bool = False) -> RemotePath:
        """Return the path itself."""
        return self

    def absolute(self) -> RemotePath:
        """Return the path itself."""
        return self

    def is_absolute(self) -> bool:
        """Return True: an address is complete."""
        return True

    def mkdir(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to write."""
        self.__fspath__()
        raise AssertionError("unreachable")


def names_in(folder: Path) -> Iterator[str]:
    """List the names in a folder, on disk or remote.

    Raises:
        OSError: it cannot be listed.
    """
    if isinstance(folder, RemotePath):
        yield from list_folder(str(folder)) or ()
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name
