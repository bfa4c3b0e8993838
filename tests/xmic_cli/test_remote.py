"""Addresses on the command line and in xmic.toml."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_manifests.remote import stores
from data_manifests.remote.access import current
from pipelines.chain.config import TableSection, check_config
from pipelines.engine.command_lines import command_line
from pipelines.hands.options import HandsOptions
from pipelines.prepare.options import EpicOptions
from tests.stand_in_web import StandInWeb, stand_in_web
from xmic_cli.app import run


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInWeb]:
    """A server with a table and one of its two videos."""
    pytest.importorskip("aiohttp", reason="https:// needs the extra [remote]")
    monkeypatch.setenv("_XMIC_REMOTE", "")
    monkeypatch.chdir(tmp_path)
    stores.forget()
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "clips.csv").write_text("video,verb\na.mp4,cut\nb.mp4,wash\n")
    (tmp_path / "served" / "a.mp4").write_bytes(b"no video")
    with stand_in_web(tmp_path / "served") as server:
        yield server


def test_a_table_and_its_videos_are_prepared_from_a_server(
    web: StandInWeb, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prepare", "table", f"val={web.url}/clips.csv", "--name", "mine", "-w", "work", "--scratch", "here"]
    assert run([*words, "--scratch-size", "100MB", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["splits"]["val"]
    assert (counts["clips"], counts["missing_videos"]) == (2, 1)
    assert (current().scratch, current().limit) == (str(tmp_path / "here"), 100_000_000)
    assert list((tmp_path / "here").glob("*.block"))
    settings = tomllib.loads((tmp_path / "work" / "workspace.toml").read_text())
    assert settings["datasets"]["mine"]["roots"] == [web.url]


def test_offline_refuses_an_address_and_asks_nothing(web: StandInWeb, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", "table", f"val={web.url}/clips.csv", "--name", "mine", "-w", "work", "--offline"]) == 3
    assert f"{web.url}/clips.csv: --offline forbids the network" in capsys.readouterr().err
    assert web.asked == []


def test_annotations_that_are_not_there_are_named_by_their_address(
    web: StandInWeb, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prepare", "epic", "--annotations", f"{web.url}/epic", "-w", "work"]) == 3
    assert f"{web.url}/epic: no EPIC_100_train.csv or" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["decode"], ["doctor"], ["run", "xmic.toml"]])
def test_a_workspace_in_a_store_is_refused(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xmic.toml").write_text(
        '[[dataset]]\nname = "x"\nreader = "table"\nfiles = ["val=x.csv"]\n[embed]\nencoder = "x:y"\n'
    )
    assert run([*command, "-w", "s3://bucket/work"]) == 2
    assert "workspace s3://bucket/work: a workspace lies on a disk" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["xmic.toml"]


def test_a_workspace_in_a_store_is_refused_in_the_file_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xmic.toml").write_text(
        'workspace = "s3://bucket/work"\n'
        '[[dataset]]\nname = "x"\nreader = "table"\nfiles = ["val=x.csv"]\n[embed]\nencoder = "x:y"\n'
    )
    assert run(["run", "xmic.toml"]) == 2
    assert run(["status"]) == 2
    assert capsys.readouterr().err.count("workspace s3://bucket/work: a workspace lies on a disk") == 2


def test_addresses_in_a_file_are_not_made_relative_to_it() -> None:
    section = {
        "name": "x",
        "reader": "table",
        "files": ["train=s3://bucket/clips.csv", "gs://bucket/a.csv", "val=clips.csv"],
        "videos": ["s3://bucket/videos", "videos"],
        "nouns": "https://host/nouns.txt?a=b",
    }
    raw = {"dataset": [section], "embed": {"encoder": "x:y"}, "hands": {"weights": "hf://owner/repo/hands.pt"}}
    config = check_config(raw, Path("/base/xmic.toml"))
    assert config.hands
    assert config.hands.weights == Path("hf://owner/repo/hands.pt")
    (found,) = config.dataset
    assert isinstance(found, TableSection)
    assert found.files == ("train=s3://bucket/clips.csv", "gs://bucket/a.csv", "val=/base/clips.csv")
    assert [str(path) for path in found.videos] == ["s3://bucket/videos", "/base/videos"]
    assert str(found.nouns) == "https://host/nouns.txt?a=b"


def test_a_command_line_in_a_message_has_the_address_as_it_was_given() -> None:
    options = EpicOptions(annotations=Path("s3://bucket/epic"), videos=(Path("s3://bucket/videos"),))
    written = command_line("prepare epic", options)
    assert "--annotations s3://bucket/epic" in written
    assert "--videos s3://bucket/videos" in written


@pytest.mark.parametrize(
    "words",
    [
        ["detect-hands", "--weights", "s3://bucket/hands.pt"],
        ["detect-hands", "--detector", "boxes", "--boxes", "https://host/boxes.csv"],
        ["score", "gs://bucket/scores.csv", "--dataset", "x", "--name", "x"],
        ["import-features", "x", "--name", "x", "--split", "val", "--vectors", "s3://bucket/x.npz"],
    ],
)
def test_what_is_read_from_a_disk_only_is_refused_with_the_way_out(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    address = next(word for word in words if "://" in word)
    assert f"{address}: this is read from a local disk only. Copy it to a local folder" in capsys.readouterr().err


def test_weights_on_the_hub_keep_their_address() -> None:
    assert HandsOptions(weights=Path("hf://owner/repo/hands.pt")).weights == Path("hf://owner/repo/hands.pt")
