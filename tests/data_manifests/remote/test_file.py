from __future__ import annotations

import random
import tarfile
from pathlib import Path
from typing import Any

import pytest

from data_manifests.remote import file as remote_file
from data_manifests.remote.access import Access, use
from data_manifests.remote.errors import RemoteError
from data_manifests.remote.path import path_of
from data_manifests.remote.stores import forget
from tests.stand_in_web import StandInWeb


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_file, "BLOCK", 1000)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return random.Random(1).randbytes(10_500)


def gets(web: StandInWeb) -> list[str]:
    return [line for line in web.asked if line.startswith("GET")]


@pytest.mark.parametrize("ranges", [True, False])
def test_any_reading_gives_the_bytes_of_a_local_file(web: StandInWeb, content: bytes, ranges: bool) -> None:
    web.ranges = ranges
    local = web.folder / "film.bin"
    local.write_bytes(content)
    moves = random.Random(2)
    with local.open("rb") as here, (path_of(web.url) / "film.bin").open("rb") as there:
        for _ in range(200):
            place, whence = moves.choice([(moves.randrange(11_000), 0), (-moves.randrange(10_000), 2)])
            assert here.seek(place, whence) == there.seek(place, whence)
            count = moves.choice([1, 10, 999, 1000, 1001, 5000])
            assert here.read(count) == there.read(count)
            assert here.tell() == there.tell()


def test_only_the_parts_that_are_read_are_asked_for_and_each_once(web: StandInWeb, content: bytes) -> None:
    (web.folder / "film.bin").write_bytes(content)
    film = path_of(web.url) / "film.bin"
    for _ in range(2):
        with film.open("rb", buffering=0) as file:
            file.seek(2500)
            assert file.read(100) == content[2500:2600]
            file.seek(-1, 2)
            assert file.read(1) == content[-1:]
    assert gets(web) == ["GET /film.bin bytes=2000-2999", "GET /film.bin bytes=10000-10499"]


def test_a_server_without_ranges_is_asked_for_the_whole_file_once(web: StandInWeb, content: bytes) -> None:
    web.ranges = False
    (web.folder / "film.bin").write_bytes(content)
    film = path_of(web.url) / "film.bin"
    assert film.read_bytes() == content
    asked = len(gets(web))
    assert film.read_bytes() == content
    assert (asked, len(gets(web))) == (3, 4)  # its first block, a part in vain, the file; then the first block's name


def test_a_changed_file_is_noticed(web: StandInWeb, content: bytes) -> None:
    (web.folder / "film.bin").write_bytes(content)
    film = path_of(web.url) / "film.bin"
    assert film.read_bytes() == content
    (web.folder / "film.bin").write_bytes(content[::-1])
    forget()
    assert film.read_bytes() == content[::-1]


def test_copies_of_a_server_that_states_no_version_are_not_taken_over(web: StandInWeb, content: bytes) -> None:
    web.facts = False
    (web.folder / "film.bin").write_bytes(content)
    assert (path_of(web.url) / "film.bin").version.startswith("unknown ")


def test_a_file_larger_than_the_limit_is_read_in_bounded_space(web: StandInWeb, scratch: Path, content: bytes) -> None:
    use(Access(str(scratch), 4000))
    (web.folder / "film.bin").write_bytes(content)
    film = path_of(web.url) / "film.bin"
    assert film.read_bytes() == content == film.read_bytes()
    assert sum(file.stat().st_size for file in scratch.glob("*.block")) <= 4000


def test_a_connection_that_is_cut_is_tried_three_times_and_named(web: StandInWeb, content: bytes) -> None:
    (web.folder / "film.bin").write_bytes(content)
    web.cut["film.bin"] = 3500
    with (path_of(web.url) / "film.bin").open("rb", buffering=0) as file:
        assert file.read(1000) == content[:1000]
        file.seek(3000)
        with pytest.raises(RemoteError, match=r"http://127.0.0.1:\d+/film.bin: cannot be read .*the same command"):
            file.read(1000)
    assert gets(web).count("GET /film.bin bytes=3000-3999") == 3


def test_a_connection_that_comes_back_is_not_noticed(web: StandInWeb, content: bytes, monkeypatch: Any) -> None:
    (web.folder / "film.bin").write_bytes(content)
    web.cut["film.bin"] = 500
    monkeypatch.setattr("data_manifests.remote.stores.time.sleep", lambda _: web.cut.clear())
    assert (path_of(web.url) / "film.bin").read_bytes() == content


def test_a_tar_is_read_in_place(web: StandInWeb, content: bytes) -> None:
    picture = web.folder / "frame_01.jpg"
    picture.write_bytes(content)
    with tarfile.open(web.folder / "film.tar", "w") as archive:
        archive.add(picture, "frame_01.jpg")
    with (path_of(web.url) / "film.tar").open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        member = archive.extractfile("frame_01.jpg")
        assert member is not None
        assert member.read() == content
