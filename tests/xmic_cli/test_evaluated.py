from __future__ import annotations

import pytest

from xmic_cli.evaluated import harmonic_means, percent, print_results


def numbers(top1, recordings, **more):
    empty = {"parts": {}, "references": {}, "shared_novel_hm": None, "novel_called_shared": None, "calibration": None}
    share = {"n_evaluated": 3, "n_official": 4, "top5": top1, "class_mean": top1}
    return {"top1": top1, "recordings": recordings, **share, **empty, **more}


def result(dataset, within, of_noun, **more):
    none = {"actions": None, "epic": None, "clips_file": None, "random_weights": [], "mixed": [], "made": 1}
    none |= {"pretrained_on": {}, "run": {"leaking": False, "select_target": None}}
    target = {"dataset": dataset, "split": "val"}
    return {"target": target, "within": within, "labels": {"noun": of_noun}, **none, **more}


def test_a_head_without_clips_has_no_harmonic_mean():
    there, nothing = numbers(50.0, {"x": [1, 2]}), numbers(None, {})
    assert harmonic_means([result("a", True, there), result("b", False, nothing)]) == []
    assert harmonic_means([result("b", False, there)]) == []


def test_the_harmonic_mean_has_an_interval_over_the_recordings_of_both():
    own = numbers(50.0, {f"v{k}": [k % 2, 1] for k in range(40)})
    (found,) = harmonic_means([result("a", True, own), result("b", False, numbers(25.0, {"x": [1, 4]}))])
    assert found["hm"] == pytest.approx(100 / 3)
    low, high = found["interval"]
    assert low < found["hm"] < high


def test_numbers_that_lack_clips_or_stand_on_few_are_marked(capsys):
    print_results(
        "run", [result("a", True, numbers(50.0, {"x": [1, 2]}), clips_file={"clips": 4, "sha256": "ab" * 32})]
    )
    out, err = capsys.readouterr()
    (head, row) = (line.split("\t") for line in out.splitlines())
    found = dict(zip(head, row, strict=True))
    assert (found["top-1 %"], found["clips"]) == ("50.00 [50.0, 50.0] (few)", "3/4*")
    assert "a val: over the 4 listed clips only (sha256 abababababab)" in err


def test_references_stand_in_a_table_of_their_own_and_oracles_are_named(capsys):
    counts = {"percent": 40.0, "n_evaluated": 4, "n_official": 4}
    part = {"classes": 2, "restricted": {**counts, "percent": 60.0}, "unrestricted": counts}
    known = {**counts, "oracle": True, "parts": {"shared": part, "novel": None}, "shared_novel_hm": {"restricted": 5.0}}
    of_noun = numbers(50.0, {}, references={"target_majority": known, "source_majority": None})
    print_results("run", [result("a", False, of_noun)])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[-1] == ["a", "val", "noun", "target majority (oracle)", "40.00", "60.00", "–", "5.00", "4/4"]


def test_epics_own_numbers_stand_in_a_table_of_their_own(capsys):
    found = {"percent": 12.5, "top5": 25.0, "n_evaluated": 8, "n_official": 8}
    print_results("run", [result("a", False, numbers(50.0, {}), epic={"tail_classes": {"action": found}})])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[-1] == ["a", "val", "action", "tail classes", "12.50", "25.00", "8/8"]


def test_no_number_is_a_dash():
    assert (percent(None), percent(1 / 3)) == ("–", "0.33")
