"""A video that comes after prepare is said to be there, and prepare is named as the next step."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from data_manifests.errors import MissingUpstream
from data_manifests.readers.table import TableReader
from pipelines.chain.status import status
from pipelines.decode.absent import about_absent
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare


def _prepared(tmp_path: Path, *videos: str) -> Workspace:
    table, roots = tmp_path / "clips.csv", [tmp_path / "v"]
    roots[0].mkdir(exist_ok=True)
    rows = [f"{video},0,0.5,open,door" for video in videos]
    table.write_text("\n".join(["video,start_s,stop_s,verb,noun", *rows]) + "\n", encoding="utf-8")
    workspace = Workspace.open(tmp_path / "work")
    prepare(workspace, "mine", TableReader([(table, "val")], roots=roots), roots)
    return workspace


def test_a_video_that_arrives_after_prepare_is_said_by_decode_and_status(tmp_path: Path, video_maker) -> None:
    workspace = _prepared(tmp_path, "a.mp4", "b.mp4")
    assert about_absent(workspace, "mine", "val") == []
    video_maker.make_video(tmp_path / "v" / "b.mp4", seconds=1)
    said = f"1 video that was missing is there now, the first at {tmp_path / 'v' / 'b.mp4'}: run the same xmic prepare "
    assert about_absent(workspace, "mine", "val") == [said + "table again"]
    assert status(workspace)[0].absent == [said + "table again"]
    with pytest.raises(MissingUpstream, match="none of its 2 videos can be read.*xmic prepare table again"):
        stage.run(DecodeStage(workspace, "mine", "val", FramePlan(segments=2)))

    again = _prepared(tmp_path, "a.mp4", "b.mp4")
    assert about_absent(again, "mine", "val") == []
    assert stage.run(DecodeStage(again, "mine", "val", FramePlan(segments=2))).rows == 2


def test_a_video_of_another_form_is_named_in_place_of_a_missing_disk(tmp_path: Path) -> None:
    folder = tmp_path / "v" / "a"
    folder.mkdir(parents=True)
    (folder / "frame_1.bmp").touch()
    workspace = _prepared(tmp_path, "a")
    with pytest.raises(
        MissingUpstream, match=r"none of its 1 videos can be read\. a: .*/v/a is a folder without"
    ) as error:
        stage.run(DecodeStage(workspace, "mine", "val", FramePlan(segments=2)))
    assert "disk" not in str(error.value)


def test_prepare_says_what_lies_there_in_another_form(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "A.mp4").touch()
    table = tmp_path / "clips.csv"
    table.write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,open,door\n")
    reader = TableReader([(table, "val")], roots=[tmp_path / "v"])
    found = prepare(Workspace.open(tmp_path / "work"), "mine", reader, [tmp_path / "v"])
    assert found.splits["val"]["findings"] == [
        f"video a.mp4 is not found: {tmp_path / 'v' / 'A.mp4'} is there, but in other letters than a.mp4"
    ]


def test_a_video_is_decoded_whatever_the_unicode_form_of_its_name(tmp_path: Path, video_maker) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Küche.mp4") for form in ("NFC", "NFD"))
    (tmp_path / "v").mkdir()
    video_maker.make_video(tmp_path / "v" / decomposed, seconds=1)
    workspace = _prepared(tmp_path, composed)
    decode = DecodeStage(workspace, "mine", "val", FramePlan(segments=2))
    assert stage.run(decode).rows == 2
    # Copied to a disk that writes names in the other form.
    (tmp_path / "v" / decomposed).rename(tmp_path / "v" / composed)
    assert stage.run(decode).made == 0
