from __future__ import annotations

import csv
import io
import shutil

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.evaluate.leaderboard import boards_csv, boards_json, boards_markdown, read_boards
from tests.pipelines.evaluate.cards import write_card_file


@pytest.fixture
def folder(tmp_path):
    write_card_file(tmp_path / "low.card.json", "low", 10.0, source="mine")
    write_card_file(tmp_path / "deep/er/card.json", "high", 90.0, evaluated=5)
    write_card_file(tmp_path / "none/card.json", "none", None)
    write_card_file(tmp_path / "away/card.json", "away", 50.0, dataset="other")
    (tmp_path / "discard.json").write_text("not a card, by its name")
    return tmp_path


def test_results_of_other_protocols_are_never_in_one_table(folder):
    found = read_boards(folder)
    assert [[card.model.name for card in board.cards] for board in found.boards] == [["high", "low", "none"], ["away"]]
    assert found.boards[0].title.startswith("mine val, 6 clips, protocol ")
    assert found.skipped == []


def test_a_line_says_interval_coverage_and_what_it_was_trained_on(folder):
    board = read_boards(folder).boards[0]
    assert board.head == ["#", "model", "trained on", "noun top1 %", "verb top1 %", "clips", "notes"]
    high, low, none = board.rows()
    assert high == ["1", "high", "not said", "90.00* [1.0, 99.0]", "1.00*", "noun 5/6*", ""]
    assert low[2:4] == ["mine", "10.00 [1.0, 99.0]"]
    assert none[3] == "–"


def test_equal_results_share_a_place_and_one_without_the_number_has_none(folder):
    write_card_file(folder / "a.card.json", "a", 10.0)
    assert [(row[0], row[1]) for row in read_boards(folder).boards[0].rows()] == [
        ("1", "high"),
        ("2", "a"),
        ("2", "low"),
        ("–", "none"),
    ]


def test_the_number_to_sort_by_is_chosen_and_an_unknown_one_is_refused(folder):
    assert read_boards(folder, "verb top1").boards[0].columns == ["verb top1", "noun top1"]
    with pytest.raises(UsageError, match="--by 'top1': no card has this number; expected one of noun top1, verb top1"):
        read_boards(folder, "top1")


def test_a_copy_of_a_card_counts_once(folder):
    shutil.copyfile(folder / "low.card.json", folder / "deep/low.card.json")
    assert len(read_boards(folder).boards[0].cards) == 3


def test_a_card_that_can_not_be_read_is_named_and_left_out(folder):
    (folder / "bad.card.json").write_text("{}")
    found = read_boards(folder)
    assert len(found.boards) == 2
    (why,) = found.skipped
    assert why.startswith(f"{folder}/bad.card.json: found kind None")


def test_a_folder_without_a_card_is_refused(tmp_path):
    for folder, said in ((tmp_path, "no result card"), (tmp_path / "none", "no such folder")):
        with pytest.raises(InputError, match=said):
            read_boards(folder)


def test_csv_has_every_number_in_full_and_json_whole_cards(folder):
    found = read_boards(folder)
    rows = list(csv.DictReader(io.StringIO(boards_csv(found))))
    first = rows[0]
    assert (first["model"], first["number"], first["percent"], first["low"], first["n_evaluated"]) == (
        "high",
        "noun top1",
        "90.0",
        "1.0",
        "5",
    )
    assert rows[1]["low"] == ""
    assert boards_json(found)["boards"][0]["cards"][0]["coverage"] == {"noun": [5, 6]}


def test_nothing_of_a_card_is_markup_in_markdown(tmp_path):
    write_card_file(tmp_path / "card.json", "<b>|*x*", 10.0)
    text = boards_markdown(read_boards(tmp_path))
    assert "| &lt;b&gt;\\|\\*x\\* |" in text
    assert "\n| --- | --- |" in text
