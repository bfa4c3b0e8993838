from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from tests.data_manifests.epic_files import row, write_epic
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]


def _json(capsys: _Capture, *arguments: str) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("schema") == 1
    return found


_EPIC = ["prepare", "epic", "--annotations", "csv", "--videos", "videos"]


def test_the_result_is_told_in_lines_and_a_second_call_has_nothing_to_do(here: Path, capsys: _Capture) -> None:
    lines = [
        "epic train: 2 clips of 2 videos (1 of them not found), 1 rejected rows, "
        "2 of 3 noun classes, 1 of 2 verb classes",
        "  rejected: 1 unknown_class, the first in EPIC_100_train.csv, row 4: verb_class '7', expected 0 to 1",
        "  all rejected rows: xmic-work/manifests/epic/train/rejects.parquet",
        "epic val: 1 clips of 1 videos (0 of them not found), 0 rejected rows, "
        "1 of 3 noun classes, 1 of 2 verb classes",
        "  1 of 1 clips are clips of train too, by video, start and stop; the first is P90_01_5",
    ]
    assert run(_EPIC) == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == lines
    assert output.err == ""  # what is over at once is silent
    assert run(_EPIC) == 0
    assert capsys.readouterr().out.splitlines() == [*lines, "nothing to do: the manifests were up to date"]


def test_json_has_counts_by_split_and_in_all(here: Path, capsys: _Capture) -> None:
    found = _json(capsys, *_EPIC)
    none = {label: {"clips": 0, "share": 0.0} for label in ("noun", "verb")}
    assert found == {
        "dataset": "epic",
        "splits": {
            "train": {
                "clips": 2,
                "rejects": 1,
                "reject_reasons": {"unknown_class": 1},
                "first_rejects": {
                    "unknown_class": {
                        "file": "EPIC_100_train.csv",
                        "row": 4,
                        "detail": "verb_class '7', expected 0 to 1",
                    }
                },
                "rejects_file": "xmic-work/manifests/epic/train/rejects.parquet",
                "videos": 2,
                "missing_videos": 1,
                "classes_present": {"noun": 2, "verb": 1},
                "overlaps": none,
                "findings": [],
            },
            "val": {
                "clips": 1,
                "rejects": 0,
                "reject_reasons": {},
                "first_rejects": {},
                "rejects_file": "xmic-work/manifests/epic/val/rejects.parquet",
                "videos": 1,
                "missing_videos": 0,
                "classes_present": {"noun": 1, "verb": 1},
                "overlaps": none,
                "findings": ["1 of 1 clips are clips of train too, by video, start and stop; the first is P90_01_5"],
            },
        },
        "clips": 3,
        "rejects": 1,
        "videos": 3,
        "missing_videos": 1,
        "classes": {"noun": 3, "verb": 2},
        "classes_present": {"noun": 2, "verb": 1},
        "made": 6,
        "plan": [],
        "would_reject": [],
    }
    assert _json(capsys, *_EPIC) == {**found, "made": 0}


def test_split_limit_and_name_are_honoured(here: Path, capsys: _Capture) -> None:
    found = _json(capsys, *_EPIC, "--split", "validation", "--split", "train", "--limit", "1", "--name", "my kitchen")
    assert {split: counts["clips"] for split, counts in found["splits"].items()} == {"val": 1, "train": 1}
    assert Workspace.open(here / "xmic-work").prepared() == [("my kitchen", "train"), ("my kitchen", "val")]
    assert run([*_EPIC, "--split", "dev"]) == 2
    assert capsys.readouterr().err == "error: split 'dev': expected train, val (or validation) or test\n"


def test_a_name_with_a_slash_is_a_wrong_call(here: Path, capsys: _Capture) -> None:
    assert run([*_EPIC, "--name", "../x"]) == 2
    assert capsys.readouterr().err == "error: --name ../x: expected a name that can be a folder, without '/'.\n"
    assert not (here / "xmic-work").exists()


def test_a_dry_run_tells_the_plan_and_leaves_the_disk_as_it_was(here: Path, capsys: _Capture) -> None:
    before = sorted(here.rglob("*"))
    assert run([*_EPIC, "--split", "val", "--dry-run"]) == 0
    names = ["classes_noun", "classes_verb", "val/clips", "val/videos"]
    plan = [f"xmic-work/manifests/epic/{name}.parquet: not made yet" for name in names]
    assert capsys.readouterr().out.splitlines() == plan
    assert _json(capsys, *_EPIC, "--split", "val", "-n") == {"would_write": plan, "would_reject": []}
    assert sorted(here.rglob("*")) == before
    assert run(_EPIC) == 0
    capsys.readouterr()
    assert run([*_EPIC, "-n"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "nothing to do: the manifests are up to date",
        "epic train: 1 of 3 rows rejected (unknown_class); the first is EPIC_100_train.csv, row 4: verb_class '7', "
        "expected 0 to 1",
    ]


def test_several_video_roots_are_searched_in_order(here: Path, capsys: _Capture) -> None:
    (here / "more").mkdir()
    (here / "more" / "P90_02.mp4").touch()
    assert _json(capsys, *_EPIC, "--videos", "more")["missing_videos"] == 0
    roots = Workspace.open(here / "xmic-work").datasets["epic"].roots
    assert roots == (str(here / "videos"), str(here / "more"))


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["table", "clips.csv", "--name", "x"], 3, "error: clips.csv: no such file; expected a table of clips"),
        (["table", "a.csv", "--name", "x", "--column", "video"], 2, "error: --column video: expected OURS=THEIRS"),
        (["table", "a.csv", "--name", "x", "--column", "film=path"], 2, "error: --column film=…: no such column"),
        (["epic", "--annotations", "csv", "--videos", "no"], 3, "error: --videos no: no such folder; expected"),
        (
            ["epic", "--annotations", "videos"],
            3,
            "error: --annotations videos: no EPIC_100_train.csv or EPIC_100",
        ),
        (["epic", "--annotations", "csv", "--split", "test"], 3, "error: csv/EPIC_100_test_timestamps.csv: not found."),
    ],
)
def test_a_wrong_call_or_input_is_told_in_one_line(
    here: Path, capsys: _Capture, arguments: list[str], code: int, text: str
) -> None:
    assert run(["prepare", *arguments]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(text)
    assert output.err.count("\n") == 1
    assert not (here / "xmic-work").exists()


def test_a_lock_of_another_host_needs_break_lock(here: Path, capsys: _Capture) -> None:
    lock = here / "xmic-work/manifests/epic/val/.locks/clips.parquet.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"host": "node-7", "pid": 4711}))
    assert run(_EPIC) == 3
    assert "is held by process 4711 on host node-7" in capsys.readouterr().err
    assert run([*_EPIC, "--break-lock"]) == 0


def test_how_much_clips_of_different_labels_overlap_is_shown(here: Path, capsys: _Capture) -> None:
    rows = [row("P90_02_0"), row("P90_02_1", noun_class="1", start_timestamp="00:00:02.25")]
    write_epic(here / "csv", {"train": rows})
    assert run([*_EPIC, "--split", "train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # 1.5 to 3.25 s and 2.25 to 3.25 s: two of 2.75 s.
    assert lines[1] == "  2 clips overlap a clip of another noun in the same video, 72.7 % of the labelled time"
    assert len(lines) == 2


def test_check_shows_a_table_and_never_fails_on_a_partial_download(here: Path, capsys: _Capture) -> None:
    assert run([*_EPIC, "--check"]) == 0
    output = capsys.readouterr()
    table = [line.split("\t") for line in output.out.splitlines() if "\t" in line]
    assert table[0] == ["split", "status", "videos", "clips", "meaning"]
    counts = {(split, status): (videos, clips) for split, status, videos, clips, _ in table[1:]}
    statuses = ("ok", "missing", "unreadable", "shorter", "incomplete", "other timing", "damaged")
    assert list(counts) == [(split, status) for split in ("train", "val") for status in statuses]
    assert {place: both for place, both in counts.items() if both != ("0", "0")} == {
        ("train", "missing"): ("1", "1"),
        ("train", "unreadable"): ("1", "1"),
        ("val", "unreadable"): ("1", "1"),
    }
    assert "train P90_01: unreadable, 1 clips: empty_file: " in output.err
    found = _json(capsys, *_EPIC, "--check")["check"]
    assert found["train"]["videos"]["missing"] == 1
    assert [problem["video_id"] for problem in found["train"]["problems"]] == ["P90_01", "P90_02"]


def test_list_needed_prints_nothing_but_what_the_downloader_takes(here: Path, capsys: _Capture) -> None:
    assert run([*_EPIC, "--list-needed"]) == 0
    output = capsys.readouterr()
    assert output.out == "P90_02\n"
    assert "1 videos are needed" in output.err
    assert run([*_EPIC, "--list-needed", "--check"]) == 0
    assert capsys.readouterr().out == "P90_01,P90_02\n", "an empty file is needed again"
    assert _json(capsys, *_EPIC, "--list-needed") == {"needed": ["P90_02"]}
