from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from data_manifests.remote.access import access_by, current, use, without_network
from data_manifests.remote.errors import RemoteError
from data_manifests.remote.path import path_of


@pytest.mark.parametrize(("size", "limit"), [("20GB", 20 * 10**9), ("1.5 tb", 1500 * 10**9), ("70MB", 70 * 10**6)])
def test_a_size_is_a_number_with_its_unit(size: str, limit: int) -> None:
    assert access_by(Path("/x"), size).limit == limit


@pytest.mark.parametrize("size", ["20", "GB", "1MB", "-3GB", ""])
def test_another_size_is_refused_with_an_example(size: str) -> None:
    with pytest.raises(UsageError, match=r"--scratch-size .*: expected a size of 70MB or more, for instance 20GB"):
        access_by(None, size)


def test_without_a_folder_copies_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert access_by(None, "1GB").scratch == str(tmp_path / "xmic" / "scratch")


def test_offline_refuses_an_address_and_names_it(scratch: Path) -> None:
    use(access_by(scratch, "1GB", offline=True))
    with pytest.raises(RemoteError, match=r"s3://bucket/a.csv: --offline forbids the network"):
        path_of("s3://bucket/a.csv").read_bytes()


def test_the_network_is_off_only_inside_the_block() -> None:
    before = current()
    with without_network():
        assert current().offline
    assert current() == before
