"""One workspace, one interval for each number: on the command line, in the report, on the board and in the card."""

from __future__ import annotations

import json

from xmic_cli.app import run


def lines(capsys):
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_a_number_has_the_same_interval_wherever_it_is_shown(embedded, capsys, tmp_path):
    space = ["-w", str(embedded.root)]
    assert run(["train", *space, "--set", "epochs=2", "--set", "batch=4"]) == 0
    capsys.readouterr()
    assert run(["evaluate", *space, "--cross", "other"]) == 0
    printed = {(row[0], row[2]): row[3] for row in lines(capsys) if len(row) == 10}
    assert run(["report", *space, "--json"]) == 0
    (reported,) = json.loads(capsys.readouterr().out)["rows"]
    assert run(["leaderboard", str(embedded.root / "evaluations"), "--json"]) == 0
    boards = {board["protocol"]["dataset"]: board for board in json.loads(capsys.readouterr().out)["boards"]}
    assert run(["export", *space, "--into", str(tmp_path / "out")]) == 0
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for dataset, kind, title in (("mine", "within", "mine val"), ("other", "cross", "other val (cross-dataset)")):
        for label in ("noun", "verb"):
            (on_board,) = boards[dataset]["cards"]
            number = on_board["numbers"][f"{label} top1"]
            (low, high), value = number["interval"], number["value"]
            assert [low, high] == reported[f"{label} {kind} interval"]
            assert printed[dataset, label] == f"{value:.2f} [{low:.1f}, {high:.1f}] (few)"
            assert f"| {title} | {label} | {value:.2f} | {low:.1f}–{high:.1f} |" in card
