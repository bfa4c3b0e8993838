from __future__ import annotations

import json

import pytest

from tests.pipelines.evaluate.cards import write_card_file
from xmic_cli.app import run


@pytest.fixture
def folder(tmp_path):
    write_card_file(tmp_path / "a.card.json", "first", 60.0)
    write_card_file(tmp_path / "b.card.json", "second", 50.0)
    return tmp_path


def test_the_table_is_sorted_and_says_its_protocol(folder, capsys):
    assert run(["leaderboard", str(folder), "--by", "noun top1"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[1] for line in out.splitlines()] == ["model", "first", "second"]
    assert "mine val, 6 clips, protocol " in err


def test_every_form_is_on_stdout(folder, capsys):
    assert run(["leaderboard", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["boards"][0]["cards"]) == 2
    assert run(["leaderboard", str(folder), "--csv"]) == 0
    assert capsys.readouterr().out.startswith("protocol_sha256,dataset,split,place,model")
    assert run(["leaderboard", str(folder), "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("## mine val")
    assert run(["leaderboard", str(folder), "--csv", "--json"]) == 2


def test_a_damaged_card_is_named_and_the_rest_still_shown_with_exit_3(folder, capsys):
    (folder / "card.json").write_text("{")
    assert run(["leaderboard", str(folder)]) == 3
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert f"skipped: {folder}/card.json" in err
    assert "1 cards could not be read and are in no table" in err
