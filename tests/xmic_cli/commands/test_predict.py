from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.pipelines.kitchen_world import Kitchen
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def command(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two clips of a video, the second past its end, by zero-shot CLIP."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "segments.csv").write_text("start,stop,name\n0,1,=tea\n5,6,late\n")
    video, where = str(kitchen.video("a.mp4")), ["-w", str(kitchen.work), "--cache", str(folder / "cache")]
    chosen = ["--segments", str(folder / "segments.csv"), "--run", kitchen.zero_shot, "--max-failures", "90%"]
    return ["predict", video, *where, *chosen, "--device", "cpu", "--workers", "1"]


def test_the_table_has_a_line_a_clip_with_its_words_or_why_there_are_none(command: list[str], capsys: _Capture) -> None:
    assert run([*command, "--top", "2", "--none-below", "0.999"]) == 0
    head, good, late = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert head == ["video", "start s", "stop s", "name", "nouns", "verbs"]
    assert good[:4] == ["a.mp4", "0.00", "1.00", "=tea"]
    assert good[4].startswith("none of these (")
    assert good[4].count(",") == 1
    assert late[4].startswith("failed: past_end: ")


def test_json_lines_and_csv_say_the_same_and_a_file_takes_its_form_from_its_ending(
    command: list[str], tmp_path: Path, capsys: _Capture
) -> None:
    assert run([*command, "--format", "jsonl"]) == 0
    good, late = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert run([*command, "--out", str(tmp_path / "answers.csv")]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "wrote " in shown.err
    assert "nothing to do: frames, vectors and scores were up to date" in shown.err
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["name"] == "'=tea"  # no formula for a spreadsheet
    for label in ("noun", "verb"):
        for rank, answer in enumerate(good[f"{label}s"], start=1):
            assert rows[0][f"{label}_{rank}"] == answer["name"]
            assert float(rows[0][f"{label}_{rank}_probability"]) == answer["probability"]
            assert float(rows[0][f"{label}_{rank}_score"]) == answer["score"]
    assert rows[1]["failed"] == late["failed"]
    assert rows[1]["noun_1"] == ""


def test_json_is_one_document_with_what_a_program_needs(command: list[str], capsys: _Capture) -> None:
    assert run([*command, "--json", "--noun", "cup", "--noun", "unicorn"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert {answer["name"] for answer in found["clips"][0]["nouns"]} == {"cup", "unicorn"}
    assert found["problem"] is None
    assert "the nouns unicorn" in found["warnings"][0]
    assert "warning: the pocket encoder was not trained with the nouns unicorn" in shown.err


def test_too_many_failures_end_with_4_after_the_answers(command: list[str], capsys: _Capture) -> None:
    strict = ["5%" if word == "90%" else word for word in command]
    assert run([*strict, "--format", "jsonl"]) == 4
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert shown.err.splitlines()[-1].startswith("error: decode: 4 of 8 rows failed (4 past_end)")


def test_videos_are_drawn_where_asked_for(command: list[str], tmp_path: Path, capsys: _Capture) -> None:
    assert run([*command, "--annotate", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    for name in ("a.annotated.mp4", "a.contact.jpg", "a.srt", "a.vtt"):
        assert f"wrote {tmp_path / name}" in told
        assert (tmp_path / name).stat().st_size > 50
    assert "no hands are drawn: this run does not look at hands" in told


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--format", "xml"], 2, "--format xml: expected table, jsonl or csv"),
        (["--out", "x.txt"], 2, "--out x.txt: expected a file that ends in .jsonl or .csv"),
        (["--format", "table", "--out", "x.csv"], 2, "--out x.csv: expected"),
        (["--window", "2"], 2, "--segments and --window: choose one"),
        (["--window", "soon"], 2, "--window: 'soon' is not a time; expected seconds (62.5), m:ss (1:02.5) or h:mm:ss"),
        (["--stride", "30f"], 2, "--stride: '30f' is a frame number, and the frame rate is not known"),
        (["--truth", "x.csv"], 2, "--truth x.csv: true labels are drawn by --annotate FOLDER"),
        (["--noun", "cup", "--noun", "cup"], 2, "nouns: 'cup' appears twice"),
        (["--boxes", "x.csv"], 2, "does not look at hands; leave it out"),
        (["--nouns", "none.txt"], 3, "none.txt: no such class file"),
    ],
)
def test_what_can_not_be_done_is_refused_before_anything_is_looked_at(
    command: list[str], capsys: _Capture, more: list[str], code: int, message: str
) -> None:
    assert run([*command, *more]) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_an_unknown_run_names_those_that_are_there(command: list[str], capsys: _Capture) -> None:
    at = command.index("--run") + 1
    assert run([*command[:at], "none", *command[at + 1 :]]) == 5
    assert "no such run; there is" in capsys.readouterr().err


def test_another_form_beside_json_is_refused_as_json(command: list[str], capsys: _Capture) -> None:
    assert run([*command, "--json", "--format", "csv"]) == 2
    assert "--json prints one JSON document" in json.loads(capsys.readouterr().out)["error"]


def test_an_encoder_alone_answers_the_given_words_without_a_run(
    kitchen: Kitchen, tmp_path: Path, capsys: _Capture
) -> None:
    where = ["-w", str(tmp_path / "none yet"), "--device", "cpu", "--workers", "1"]
    words = ["--noun", "cup", "--noun", "pot", "--verb", "pick up"]
    assert run(["predict", str(kitchen.video("a.mp4")), "--encoder", "pocket", *words, *where, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (clip,) = found["clips"]
    assert found["run"].startswith("zero-shot-pocket-")
    assert {answer["name"] for answer in clip["nouns"]} == {"cup", "pot"}
    assert [answer["name"] for answer in clip["verbs"]] == ["pick up"]


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--encoder", "pocket"], 2, "no words to choose from: zero-shot prediction has no classes of its own"),
        (["--encoder", "pocket", "--v2", "pocket", "--noun", "cup"], 2, "--v2: it is for a run"),
        (["--encoder", "pocket", "--allow-mixed", "--noun", "cup"], 2, "--allow-mixed: it is for a run"),
        (["--encoder", "nonsense", "--noun", "cup"], 2, "nonsense"),
        (["--noun", "cup"], 5, "Or predict without a run: xmic predict VIDEO --encoder SPEC --noun WORD --verb WORD"),
    ],
)
def test_without_a_run_and_without_what_replaces_it_nothing_is_decoded(
    kitchen: Kitchen, tmp_path: Path, capsys: _Capture, more: list[str], code: int, message: str
) -> None:
    assert run(["predict", str(kitchen.video("a.mp4")), "-w", str(tmp_path / "work"), *more]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "work" / "cache" / "predict").exists()


def test_a_run_and_another_encoder_contradict_each_other(kitchen: Kitchen, capsys: _Capture) -> None:
    video, where = str(kitchen.video("a.mp4")), ["-w", str(kitchen.work)]
    given = ["--run", kitchen.zero_shot, "--encoder", "open_clip:ViT-B-32/random"]
    assert run(["predict", video, *where, *given]) != 0
    assert "--encoder open_clip:ViT-B-32" in capsys.readouterr().err
