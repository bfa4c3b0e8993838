from __future__ import annotations

import importlib
import sys

import pytest

from data_manifests.remote import stores
from data_manifests.remote.errors import Forbidden, NotThere, RemoteError, in_words
from data_manifests.remote.path import path_of
from tests.stand_in_web import StandInWeb


def test_an_address_with_nothing_there_is_no_file(web: StandInWeb) -> None:
    missing = path_of(web.url) / "no.csv"
    assert not missing.is_file()
    with pytest.raises(FileNotFoundError, match="no.csv"):
        missing.read_bytes()


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (401, Forbidden)])
def test_a_refusal_names_the_address_and_what_to_do(web: StandInWeb, status: int, kind: type) -> None:
    (web.folder / "a.csv").write_text("x")
    web.refused["a.csv"] = status
    with pytest.raises(kind, match=r"http://127.*/a.csv: access is denied .* signed address"):
        (path_of(web.url) / "a.csv").is_file()
    assert len(web.asked) == 2  # HEAD, GET: a refusal is not asked for again


def test_a_server_in_trouble_is_tried_three_times(web: StandInWeb) -> None:
    (web.folder / "a.csv").write_text("x")
    web.refused["a.csv"] = 503
    with pytest.raises(RemoteError, match=r"http://127.*/a.csv: cannot be read .*503.* Check the network"):
        (path_of(web.url) / "a.csv").is_file()
    assert len(web.asked) == 6


def test_a_server_that_is_not_there_is_named() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(RemoteError, match=r"http://127.0.0.1:9/a.csv: cannot be read .* Check the network"):
        path_of("http://127.0.0.1:9/a.csv").is_file()


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("https", "aiohttp")])
def test_a_missing_package_is_named_with_the_command(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(importlib.import_module("fsspec.registry"), "registry", {})
    monkeypatch.setattr(stores, "_stores", {})
    with pytest.raises(RemoteError, match=r"://h.*: reading .* Run: pip install 'xmic\[remote\]'"):
        path_of(f"{scheme}://h/a").is_file()


class NoCredentialsError(Exception):
    pass


@pytest.mark.parametrize(
    ("found", "kind", "said"),
    [
        (NoCredentialsError("Unable to locate credentials"), Forbidden, "no credentials .* AWS_PROFILE"),
        (PermissionError("Forbidden"), Forbidden, "access is denied .* FSSPEC_S3_ANON=true"),
        (FileNotFoundError("x"), NotThere, "not found"),
        (TimeoutError(), RemoteError, "cannot be read .TimeoutError."),
    ],
)
def test_errors_of_a_client_become_one_kind_with_the_next_step(found: Exception, kind: type, said: str) -> None:
    with pytest.raises(kind, match=f"s3://bucket/a: {said}") as error, in_words("s3://bucket/a"):
        raise found
    assert isinstance(error.value, OSError)
