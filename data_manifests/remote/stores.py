"""Ask object stores and web servers through fsspec: listings, facts, bytes.

Answers are kept for the length of a call, until :func:`forget`: a folder is listed once, however many files are looked
up in it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_manifests.remote.access import beat, current
from data_manifests.remote.errors import Forbidden, NotThere, RemoteError, in_words

SCHEMES = ("s3", "gs", "hf", "https", "http", "memory")
"""Schemes that are read. ``memory`` is fsspec's own store inside one process."""

_WEB = ("http", "https")
_VERSIONS = ("ETag", "etag", "blob_id", "Last-Modified", "LastModified", "mtime", "updated", "created")
_ATTEMPTS, _PAUSE_S = 3, 1.0
_CONNECT_S, _SILENCE_S = 30, 60
_PART = 1 << 20


@dataclass(frozen=True)
class Entry:
    """Facts of a file or folder of a store.

    Attributes:
        size: bytes; 0 for a folder.
        version: changes when the content does: an ETag, or a time. A store that states none gets one that holds for
            this process alone.
        folder: it is a folder.
        ranges: parts of it can be asked for.
    """

    size: int = 0
    version: str = ""
    folder: bool = False
    ranges: bool = True


Listing = dict[str, Entry] | None
"""Name → entry; None where the store does not list."""

_lock = threading.RLock()
_listings: dict[str, Listing] = {}
_entries: dict[str, Entry | None] = {}
_NO_VERSION = f"unknown {os.getpid()} {time.time_ns()}"


def forget() -> None:
    """Forget all answers, so that a changed object is noticed."""
    with _lock:
        _listings.clear()
        _entries.clear()
        for scheme in _stores.keys() - set(_WEB):
            _stores[scheme].invalidate_cache()


_stores: dict[str, Any] = {}


def _store(scheme: str) -> Any:
    import fsspec

    if scheme in _stores:
        return _stores[scheme]
    options: dict[str, Any] = {}
    if scheme in _WEB:
        import aiohttp

        # No limit on a whole download, only on silence; and the bytes as they are stored.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        options["client_kwargs"] = {"timeout": timeout, "headers": {"Accept-Encoding": "identity"}, "trust_env": True}
    _stores[scheme] = fsspec.filesystem(scheme, **options)
    return _stores[scheme]


def store_of(url: str) -> Any:
    """Open the file system of an address.

    Raises:
        RemoteError: the network is off, or a package is missing.
    """
    if current().offline:
        raise RemoteError(
            f"{url}: --offline forbids the network. Leave it out (or XMIC_OFFLINE), or copy the files to a local "
            "folder and name that."
        )
    with in_words(url), _lock:
        return _store(url.partition(":")[0])


def list_folder(url: str) -> Listing:
    """List a folder, once.

    Returns:
        Name → entry, empty where there is no such folder. None where the store lists nothing: a web server, or one that
        lets these credentials only read.

    Raises:
        RemoteError: the store cannot be asked.
    """
    with _lock:
        if url not in _listings:
            _listings[url] = _listed(url)
        return _listings[url]


def is_listed(url: str) -> bool:
    """Tell whether a folder was listed already."""
    return url in _listings


def _listed(url: str) -> Listing:
    if url.partition(":")[0] in _WEB:
        return None
    store = store_of(url)
    found: dict[str, Entry] = {}

    def listing() -> list[dict[str, Any]]:
        with in_words(url):
            items: list[dict[str, Any]] = store.ls(url, detail=True)
            return items

    try:
        items = _patiently(listing)
    except NotThere:
        return {}
    except Forbidden:
        return None
    here = _last(url)
    for item in items:
        name, folder = _last(item["name"]), item["type"] == "directory"
        if len(items) == 1 and not folder and name == here:
            return {}  # the address of a file: it is listed alone
        if name and not (folder and item["name"].rstrip("/") == store._strip_protocol(url).rstrip("/")):
            found[name] = Entry(folder=True) if folder else _entry(item)
    return found


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def ask(url: str) -> Entry | None:
    """Ask for the facts of one file by its full name, once.

    Returns:
        None where there is nothing.

    Raises:
        RemoteError: the store cannot be asked, or does not state the size.
    """
    with _lock:
        if url in _entries:
            return _entries[url]
    try:
        found: Entry | None = _asked(url)
    except NotThere:
        found = None
    with _lock:
        _entries[url] = found
    return found


def _asked(url: str) -> Entry:
    def facts() -> Entry:
        store = store_of(url)
        with in_words(url):
            item = store.info(url)
        # A web server leads from the name of a folder to that with a slash.
        if item["type"] == "directory" or (not url.endswith("/") and str(item.get("url")).endswith("/")):
            return Entry(folder=True)
        if item.get("size") is None:
            raise RemoteError(f"{url}: the server does not state the size. Copy the file to a local folder.")
        return _entry(item)

    return _patiently(facts)


def _entry(item: dict[str, Any]) -> Entry:
    version = next((str(item[name]) for name in _VERSIONS if item.get(name)), _NO_VERSION)
    return Entry(int(item["size"] or 0), version, ranges=item.get("partial", True))


class Ranges:
    """Parts of one file.

    Args:
        url: its address.
        entry: its facts.

    Attributes:
        refused: the server turned out to send whole files only.
    """

    def __init__(self, url: str, entry: Entry) -> None:
        self._url, self._entry, self._file = url, entry, None
        self.refused = not entry.ranges

    def read(self, start: int, size: int) -> bytes:
        """Read ``size`` bytes from ``start``; set :attr:`refused` where no parts are sent.

        Raises:
            RemoteError: they did not come, after three attempts.
        """

        def part() -> bytes:
            with in_words(self._url):
                file = self._opened(size)
                file.seek(start)
                data: bytes = file.read(size)
            if len(data) != size:
                raise RemoteError(f"{self._url}: {len(data)} of {size} bytes came from byte {start} on", final=False)
            return data

        try:
            return _patiently(part)
        except RemoteError as error:
            if isinstance(error.__cause__, ValueError) and "range requests" in str(error.__cause__):
                self.refused = True
                return b""
            raise

    def _opened(self, block: int) -> Any:
        if self._file is None:
            # fsspec keeps nothing, for blocks are kept on disk; a web server is not asked for the size again.
            known = {"size": self._entry.size} if self._url.partition(":")[0] in _WEB else {}
            self._file = store_of(self._url).open(self._url, "rb", block_size=block, cache_type="none", **known)
        return self._file

    def download(self, write: Callable[[bytes], object]) -> None:
        """Read the whole file in order.

        Raises:
            RemoteError: the connection was cut.
        """
        with in_words(self._url), store_of(self._url).open(self._url, "rb", block_size=0) as file:
            while data := file.read(_PART):
                write(data)
                beat()


def _patiently(ask: Callable[[], Any]) -> Any:
    """Call ``ask`` three times at most, while another answer can be hoped for."""
    for attempt in range(1, _ATTEMPTS + 1):
        beat()
        try:
            return ask()
        except RemoteError as error:
            if error.final or attempt == _ATTEMPTS or isinstance(error.__cause__, ValueError):
                raise
            time.sleep(_PAUSE_S * attempt)
    raise AssertionError("unreachable")
