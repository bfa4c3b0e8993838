"""A stand-in for S3 on this machine: moto's server, which answers as S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from data_manifests.remote import stores


def start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the clients, so that the next one sees the variables of now."""
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    monkeypatch.setattr(stores, "_stores", {})
    stores.forget()


@contextmanager
def stand_in_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serve an empty bucket named ``films``; gives a client of it. Skips the test where it is not installed."""
    pytest.importorskip("s3fs", reason="s3:// needs the extra [remote]")
    moto = pytest.importorskip("moto.server", reason="no stand-in for S3 is installed (moto[server])")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    start_anew(monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket="films")
    try:
        yield client
    finally:
        server.stop()
