"""Against moto's server, which answers as S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from data_manifests.remote import stores
from data_manifests.remote.errors import Forbidden
from data_manifests.remote.path import path_of
from data_manifests.videos import Place, VideoFinder
from tests.stand_in_s3 import stand_in_s3, start_anew


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with stand_in_s3(monkeypatch) as client:
        yield client


def test_files_are_found_read_and_noticed_when_they_change(bucket: Any) -> None:
    for name in ("a.MP4", "b.mp4", "deep/c.mp4"):
        bucket.put_object(Bucket="films", Key=f"videos/{name}", Body=name.encode() * 1000)
    root = path_of("s3://films/videos")
    assert root.is_dir()
    assert [path.name for path in root.iterdir()] == ["a.MP4", "b.mp4", "deep"]
    found = VideoFinder([root]).find([Place("a.mp4")])
    assert found is not None
    assert found.path.read_bytes() == b"a.MP4" * 1000
    before = found.path.version
    bucket.put_object(Bucket="films", Key="videos/a.MP4", Body=b"other")
    stores.forget()
    assert found.path.version != before
    assert found.path.read_bytes() == b"other"


def test_a_listing_and_a_question_by_name_give_one_version(bucket: Any) -> None:
    bucket.put_object(Bucket="films", Key="videos/a.mp4", Body=b"x")
    film = path_of("s3://films/videos/a.mp4")
    asked = film.version
    stores.forget()
    assert film.is_file()
    assert film.version == asked


def test_without_credentials_the_variables_are_named(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    start_anew(monkeypatch)
    with pytest.raises(Forbidden, match=r"s3://films/videos/a.mp4: no credentials .* AWS_PROFILE"):
        path_of("s3://films/videos/a.mp4").read_bytes()


def test_a_bucket_that_is_not_there_is_no_folder(bucket: Any) -> None:
    assert not path_of("s3://nowhere/videos").is_dir()
