from __future__ import annotations

from pathlib import Path

from pipelines.evaluate.evaluation import Evaluation
from pipelines.evaluate.metrics_file import Metrics
from tests.pipelines.evaluate.cards import METRICS, NUMBERS
from xmic_cli.evaluated import percent, print_results

MEANS = {"restricted": 5.0, "unrestricted": None}


def numbers(top1, recordings, **more):
    return {**NUMBERS, "top1": top1, "recordings": recordings, "n_evaluated": 3, "n_official": 4, **more}


def result(dataset, within, of_noun, **more):
    target = {"dataset": dataset, "split": "val"}
    metrics = {**METRICS, "target": target, "within": within, "labels": {"noun": of_noun}, **more}
    return Evaluation(Metrics.model_validate(metrics), Path(), 1)


def test_numbers_that_lack_clips_or_stand_on_few_are_marked(capsys):
    print_results(
        "run", [result("a", True, numbers(50.0, {"x": [1, 2]}), clips_file={"clips": 4, "sha256": "ab" * 32})]
    )
    out, err = capsys.readouterr()
    (head, row) = (line.split("\t") for line in out.splitlines())
    found = dict(zip(head, row, strict=True))
    assert (found["top-1 %"], found["clips"]) == ("50.00 [5.5, 94.5] (Wilson, few)", "3/4*")
    assert "a val: over the 4 listed clips only (sha256 abababababab)" in err


def test_references_stand_in_a_table_of_their_own_and_oracles_are_named(capsys):
    counts = {"percent": 40.0, "n_evaluated": 4, "n_official": 4, "recordings": {}}
    part = {"classes": 2, "restricted": {**counts, "percent": 60.0}, "unrestricted": counts}
    known = {**counts, "oracle": True, "parts": {"shared": part, "novel": None}, "shared_novel_hm": MEANS}
    of_noun = numbers(50.0, {}, references={"target_majority": known, "source_majority": None})
    print_results("run", [result("a", False, of_noun)])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[-1] == ["a", "val", "noun", "target majority (oracle)", "40.00", "60.00", "–", "5.00", "4/4"]


def test_epics_own_numbers_stand_in_a_table_of_their_own(capsys):
    found = {"percent": 12.5, "top5": 25.0, "n_evaluated": 8, "n_official": 8, "recordings": {}}
    print_results("run", [result("a", False, numbers(50.0, {}), epic={"tail_classes": {"action": found}})])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[-1] == ["a", "val", "action", "tail classes", "12.50", "25.00", "8/8"]


def test_across_datasets_intervals_are_those_of_the_evaluation_and_the_mean_stands_beside(capsys):
    own, other = ({f"{name}{k}": [7 * k % 11, 11 + k] for k in range(40)} for name in "vw")
    within, cross = result("a", True, numbers(30.0, own)), result("b", False, numbers(30.0, other))
    print_results("run", [within, cross])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    for row, one in zip(rows[1:], (within, cross), strict=False):
        low, high = one.metrics.interval(one.metrics.labels["noun"])
        assert row[3] == f"30.00 [{low:.1f}, {high:.1f}]"
    assert (rows[1][8], rows[2][8][:7]) == ("–", "30.00 [")


def test_no_number_is_a_dash():
    assert (percent(None), percent(1 / 3)) == ("–", "0.33")


def test_a_harmonic_mean_without_spread_says_that_it_has_no_interval(capsys):
    own, none = {f"v{k}": [7 * k % 11, 11 + k] for k in range(40)}, {f"w{k}": [0, 3] for k in range(40)}
    print_results("run", [result("a", True, numbers(30.0, own)), result("b", False, numbers(0.0, none))])
    cross = capsys.readouterr().out.splitlines()[2].split("\t")
    assert cross[3] == "0.00 [0.0, 8.8] (Wilson)"
    assert cross[8] == "0.00 (no interval)"
