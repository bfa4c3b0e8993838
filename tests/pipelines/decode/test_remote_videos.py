"""Annotations and videos on a web server and in S3: what is made of them is what is made of local files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.table import TableReader, parse_files
from data_manifests.remote import stores
from data_manifests.remote.access import Access, use, without_network
from data_manifests.remote.errors import RemoteError
from data_manifests.remote.path import path_of
from pipelines.chain.status import status
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import Workspace
from pipelines.prepare.check.run import check
from pipelines.prepare.stage import prepare
from tests.pipelines.engine.stage_fixtures import tree
from tests.stand_in_hub import TOKEN, Repository, stand_in_hub
from tests.stand_in_s3 import stand_in_s3
from tests.stand_in_web import StandInWeb, stand_in_web

FILMS = ("a.mp4", "b.mkv", "c.avi", "d.ts")
ANY = RunPolicy(max_failures=12)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, video_maker: Any) -> Path:
    """A table of clips and its videos, of several containers; not to be written to."""
    folder = tmp_path_factory.mktemp("films")
    for name in FILMS:
        video_maker.make_video(folder / name, fps=10, seconds=2, codec="mpeg4" if name == "c.avi" else "libx264")
    rows = [f"{name},0,1.5" for name in FILMS]
    (folder / "clips.csv").write_text("\n".join(["video,start_s,stop_s", *rows]) + "\n")
    return folder


@pytest.fixture
def web(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInWeb]:
    pytest.importorskip("aiohttp", reason="https:// needs the extra [remote]")
    monkeypatch.setenv("_XMIC_REMOTE", "")
    monkeypatch.setattr(stores, "_PAUSE_S", 0.01)
    use(Access(str(tmp_path / "scratch"), 64 << 20))
    stores.forget()
    with stand_in_web(films) as server:
        yield server


def prepared(root: Path, work: Path) -> DecodeStage:
    workspace = Workspace.open(work)
    reader = TableReader(parse_files([f"val={root / 'clips.csv'}"]), roots=[root])
    prepare(workspace, "mine", reader, [root])
    plan = FramePlan(segments=3, candidates=1, short_side=0)
    return DecodeStage(workspace, "mine", "val", plan, timeout_s=60)


def made(work: Path) -> dict[str, bytes]:
    """The artifacts; the settings and caches name places."""
    return {name: data for name, data in tree(work).items() if name.endswith(".parquet")}


@pytest.mark.parametrize("ranges", [True, False])
def test_manifests_and_frames_have_the_bytes_of_a_local_run(
    web: StandInWeb, films: Path, tmp_path: Path, ranges: bool
) -> None:
    web.ranges = ranges
    local, remote = prepared(films, tmp_path / "local"), prepared(path_of(web.url), tmp_path / "remote")
    report = stage.run(local)
    assert report.rows == 3 * len(FILMS)
    assert stage.run(remote).failures == {}
    assert made(tmp_path / "remote") == made(tmp_path / "local")
    assert not list(films.glob(".*"))
    assert f'roots = ["{web.url}"]' in (tmp_path / "remote" / "workspace.toml").read_text()


def test_frames_of_a_bucket_have_the_bytes_of_a_local_run(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_XMIC_REMOTE", "")
    use(Access(str(tmp_path / "scratch"), 64 << 20))
    with stand_in_s3(monkeypatch) as client:
        for name in (*FILMS, "clips.csv"):
            client.upload_file(str(films / name), "films", f"kitchen/{name}")
        remote = prepared(path_of("s3://films/kitchen"), tmp_path / "remote")
        assert stage.run(remote).failures == {}
    stage.run(prepared(films, tmp_path / "local"))
    assert made(tmp_path / "remote") == made(tmp_path / "local")


def test_frames_of_a_dataset_on_the_hub_have_the_bytes_of_a_local_run(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_XMIC_REMOTE", "")
    use(Access(str(tmp_path / "scratch"), 64 << 20))
    stores.forget()
    with stand_in_hub(tmp_path / "cache", monkeypatch) as hub:
        files = {f"kitchen/{name}": (films / name).read_bytes() for name in (*FILMS, "clips.csv")}
        hub.repositories["datasets/owner/films"] = Repository(files)
        remote = prepared(path_of("hf://datasets/owner/films/kitchen"), tmp_path / "remote")
        assert stage.run(remote).failures == {}
        assert stage.run(remote).made == 0
    stage.run(prepared(films, tmp_path / "local"))
    assert made(tmp_path / "remote") == made(tmp_path / "local")


def test_a_private_dataset_of_the_hub_says_that_it_may_need_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Access(str(tmp_path / "scratch"), 64 << 20))
    with stand_in_hub(tmp_path / "cache", monkeypatch) as hub:
        files = {"k/clips.csv": b"video,start_s,stop_s\na.mp4,0,1\n"}
        hub.repositories |= {"datasets/o/hidden": Repository(files, private=True), "datasets/o/open": Repository(files)}
        for address in ("datasets/o/hidden/k", "datasets/o/none/k", "datasets/o/open@other/k"):
            stores.forget()
            with pytest.raises(RemoteError, match=r"none that you may read.*hf auth login, or set HF_TOKEN"):
                prepared(path_of(f"hf://{address}"), tmp_path / "work")
        stores.forget()
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        prepared(path_of("hf://datasets/o/hidden/k"), tmp_path / "work")


def test_videos_that_move_to_a_store_make_nothing_stale_and_are_not_read_again(
    web: StandInWeb, films: Path, tmp_path: Path
) -> None:
    stage.run(prepared(films, tmp_path / "work"))
    assert stage.run(prepared(path_of(web.url), tmp_path / "work")).made == 0
    web.asked.clear()
    assert stage.run(prepared(path_of(web.url), tmp_path / "work")).made == 0
    assert [line for line in web.asked if line.startswith("GET") and "clips.csv" not in line] == []


def test_a_changed_video_makes_its_frames_stale(web: StandInWeb, films: Path, tmp_path: Path, video_maker: Any) -> None:
    shutil.copytree(films, tmp_path / "served")
    stage.run(prepared(films, tmp_path / "work"))
    web.folder = tmp_path / "served"
    decode = prepared(path_of(web.url), tmp_path / "work")
    assert stage.plan(decode).todo == []
    video_maker.make_video(web.folder / "a.mp4", fps=10, seconds=3)
    (item,) = stage.plan(decode).todo
    assert "file of a.mp4" in item.why


def test_a_connection_that_is_cut_fails_its_video_and_the_rest_goes_on(web: StandInWeb, tmp_path: Path) -> None:
    decode = prepared(path_of(web.url), tmp_path / "work")
    web.cut["a.mp4"] = 3000
    report = stage.run(decode, ANY)
    assert report.failures == {"io_error": 3}
    assert report.rows == 3 * (len(FILMS) - 1)
    web.cut.clear()
    report = stage.run(decode)
    assert (report.failures, report.rows) == ({}, 3 * len(FILMS))


def test_frames_are_kept_while_their_server_is_in_trouble(
    web: StandInWeb, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(prepared(films, tmp_path / "work"))
    decode = prepared(path_of(web.url), tmp_path / "work")
    before = made(tmp_path / "work")
    web.refused["b.mkv"] = 503
    assert stage.run(decode).made == 0
    web.refused |= dict.fromkeys(FILMS, 503)
    with pytest.raises(RemoteError, match=r"a.mp4: cannot be read .*503"):
        stage.run(decode)
    assert made(tmp_path / "work") == before


def test_without_network_done_frames_stay_new_ones_are_refused_and_nothing_is_asked(
    web: StandInWeb, films: Path, tmp_path: Path
) -> None:
    decode = prepared(path_of(web.url), tmp_path / "work")
    web.asked.clear()
    with without_network(), pytest.raises(InputError, match=r"its videos lie under http://.* --offline forbids"):
        stage.run(decode)
    stage.run(prepared(films, tmp_path / "work"))
    decode = prepared(path_of(web.url), tmp_path / "work")
    web.asked.clear()
    with without_network():
        assert stage.run(decode).made == 0
    found = {item.stage: item for item in status(Workspace.open(tmp_path / "work"))}
    assert (found["prepare"].missing_videos, found["decode"].done, found["decode"].stale) == (0, 1, 0)
    assert web.asked == []


def test_videos_are_checked_where_they_lie(web: StandInWeb, tmp_path: Path) -> None:
    prepared(path_of(web.url), tmp_path / "work")
    web.cut["b.mkv"] = 2000
    found = check(Workspace.open(tmp_path / "work"), "mine", ["val"], 2, Silent())["val"]
    assert found.videos == {**dict.fromkeys(found.videos, 0), "ok": 3, "unreadable": 1}
    assert "io_error" in found.problems[0]["detail"]


def test_a_row_may_name_an_address_below_the_root_and_no_other(web: StandInWeb, films: Path, tmp_path: Path) -> None:
    rows = [f"{web.url}/a.mp4,0,1", "https://elsewhere/a.mp4,0,1", f"{web.url}/../a.mp4,0,1"]
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["video,start_s,stop_s", *rows]) + "\n")
    root = path_of(web.url)
    split = TableReader([(table, "val")], roots=[root]).read("val")
    assert split.clips.column("video_id").to_pylist() == ["a.mp4"]
    assert split.rejects.column("reason").to_pylist() == ["unsafe_path", "unsafe_path"]
    assert web.asked == []
