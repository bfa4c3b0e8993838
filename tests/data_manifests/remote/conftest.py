"""Remote files of this machine: a store in memory, a web server and a stand-in for S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_manifests.remote import stores
from data_manifests.remote.access import Access, use
from tests.stand_in_web import StandInWeb, stand_in_web


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the local copies."""
    monkeypatch.setenv("_XMIC_REMOTE", "")
    monkeypatch.setattr(stores, "_PAUSE_S", 0.01)
    use(Access(str(tmp_path / "scratch"), 64 << 20))
    stores.forget()
    return tmp_path / "scratch"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[StandInWeb]:
    """A server of the folder ``served``."""
    pytest.importorskip("aiohttp", reason="https:// needs the extra [remote]")
    (tmp_path / "served").mkdir()
    with stand_in_web(tmp_path / "served") as server:
        yield server


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty store in memory."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()
