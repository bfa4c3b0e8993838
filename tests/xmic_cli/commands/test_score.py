from __future__ import annotations

import json

import pytest

from pipelines.engine.shards import read_rows
from xmic_cli.app import run


@pytest.fixture
def scores(embedded, tmp_path):
    ids = read_rows(embedded.manifest("other", "val") / "clips.parquet", ["clip_id"]).column(0).to_pylist()
    file = tmp_path / "scores.csv"
    lines = ["clip_id,noun:0,noun:1,noun:2,noun:3", *(f"{clip_id},4,3,2,1" for clip_id in ids[:4])]
    file.write_text("\n".join(lines))
    return file


def command(embedded, file, *more):
    return ["score", str(file), "--dataset", "other", "--name", "theirs", "-w", str(embedded.root), *more]


def test_a_file_of_scores_is_counted_shown_and_carded(embedded, scores, capsys, tmp_path):
    assert run(command(embedded, scores, "--source", "mine", "--card-to", str(tmp_path / "cards"))) == 0
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[1][:3] == ["other", "val", "noun"]
    assert rows[1][-1] == "4/6*"
    assert any("novel (3)" in row for row in rows)
    assert f"card: {tmp_path}/cards/theirs--other-val.card.json" in err
    assert run(["leaderboard", str(tmp_path / "cards")]) == 0
    assert "\ttheirs\tmine\t" in capsys.readouterr().out


def test_json_says_where_the_card_is(embedded, scores, capsys):
    assert run(command(embedded, scores, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["card"].endswith("evaluations/theirs/other-val/card.json")
    assert found["labels"]["noun"]["n_evaluated"] == 4
    assert found["card_copy"] is None


def test_bad_input_exits_3_bad_use_2_and_what_is_missing_5(embedded, scores, capsys, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("clip_id,noun:0\nx,1\n")
    assert run(command(embedded, bad)) == 3
    assert "bad.csv: no column of 3 of 4 noun classes" in capsys.readouterr().err
    assert run(command(embedded, scores, "--split", "test")) == 5
    assert "other has no prepared test split. Run xmic prepare" in capsys.readouterr().err
    assert run(command(embedded, scores, "--name", "a/b")) == 2
    assert run(["score", str(scores), "-w", str(embedded.root)]) == 2
