from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.cost import plan
from benchmarks.cost.__main__ import main
from benchmarks.cost.measure import QUICK_ENCODER, Lab
from benchmarks.cost.names import class_names
from benchmarks.cost.plan import LIMIT_S, METHODS, Cost, Grid, Step, cost_of, measure_all
from benchmarks.cost.report import PROPAGATED, report
from benchmarks.result_file import Results, results_of
from data_manifests.errors import InputError
from pipelines.methods import METHODS as KNOWN

ON = {"encoder": "none", "device": "cpu", "machine": "paper", "torch": "0"}
GRID = Grid()
A_PROMPT = {"coop": 0.1, "a5": 0.1, "a6": 0.1, "vita-clip": 0.05}
A_CLIP = {"vita-clip": 20.0, "a5": 0.01, "a6": 0.02}


def true_seconds(step: Step) -> float:
    """A machine without noise, on which clips and prompts cost what they cost."""
    if step.method == "cocoop":
        return 1.0 + 0.02 * step.classes * step.clips
    return A_PROMPT.get(step.method, 0) * step.classes + A_CLIP.get(step.method, 0.001) * step.clips


class FakeLab:
    """Costs by formula; remembers what was asked for."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.asked: list[Any] = []
        self._stop_after = stop_after

    def _ask(self, what: Any) -> None:
        if len(self.asked) == self._stop_after:
            raise KeyboardInterrupt
        self.asked.append(what)

    def step(self, step: Step) -> dict[str, Any]:
        self._ask(step)
        return {"seconds": true_seconds(step), "bytes": 2**20 * step.clips}

    def score(self, method: str, classes: int) -> dict[str, Any]:
        self._ask((method, classes))
        return {"once": 2.0 if method in A_PROMPT else None, "clip": 0.01, "clips": 1 if method == "cocoop" else 8}

    def embed(self) -> dict[str, Any]:
        self._ask("embed")
        return {"clip": 5.0}


def measured(results: Results, lab: FakeLab, methods: list[str] | None = None) -> int:
    return measure_all(results, methods or list(METHODS), GRID, lab.step, lab.score, lab.embed, lambda line: None)


def test_every_method_is_measured_and_said_what_it_propagates() -> None:
    assert set(METHODS) == set(PROPAGATED) == set(KNOWN)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "zero-shot"])
def test_a_reckoned_step_is_what_a_measured_one_would_be(tmp_path: Path, method: str) -> None:
    results = Results(tmp_path / "results.jsonl", ON)
    measured(results, FakeLab(), [method])
    for classes in GRID.classes:
        for clips in GRID.clips:
            cost, truth = cost_of(results, method, classes, clips, GRID), true_seconds(Step(method, classes, clips))
            assert isinstance(cost, Cost)
            assert cost.seconds == pytest.approx(truth)
            assert not cost.reckoned or truth > LIMIT_S


def test_a_step_is_measured_itself_where_it_is_short_enough(tmp_path: Path) -> None:
    lab = FakeLab()
    measured(Results(tmp_path / "results.jsonl", ON), lab, ["xmic", "coop", "cocoop"])
    steps = [item for item in lab.asked if isinstance(item, Step)]
    assert {(s.classes, s.clips) for s in steps if s.method == "xmic"} == {
        (c, b) for c in GRID.classes for b in GRID.clips
    }
    assert Step("coop", 100, 128) in steps
    assert Step("coop", 521, 16) in steps
    assert Step("coop", 521, 128) not in steps
    assert max(s.clips for s in steps if s.method == "cocoop") == 2
    assert all(s.again for s in steps if s.method == "cocoop")


def test_memory_of_a_reckoned_step_is_that_of_the_largest_one_behind_it(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", ON)
    measured(results, FakeLab(), ["cocoop"])
    cost = cost_of(results, "cocoop", 521, 128, GRID)
    assert isinstance(cost, Cost)
    assert (cost.reckoned, cost.bytes) == (True, 2 * 2**20)


def test_after_a_stop_only_what_is_missing_is_measured(tmp_path: Path) -> None:
    results, first, rest = Results(tmp_path / "results.jsonl", ON), FakeLab(stop_after=20), FakeLab()
    with pytest.raises(KeyboardInterrupt):
        measured(results, first)
    measured(results, rest)
    assert not set(first.asked) & set(rest.asked)
    again = FakeLab()
    assert measured(results, again) == 0
    assert again.asked == []


def test_seconds_of_another_machine_are_refused(tmp_path: Path) -> None:
    measured(Results(tmp_path / "results.jsonl", ON), FakeLab(), ["xmic"])
    with pytest.raises(InputError, match="made with machine paper, here it is stone. Pass --results with another file"):
        measured(Results(tmp_path / "results.jsonl", {**ON, "machine": "stone"}), FakeLab(), ["xmic"])


def test_the_report_marks_what_is_reckoned_and_says_what_is_missing(tmp_path: Path) -> None:
    measured(Results(tmp_path / "results.jsonl", ON), FakeLab(), ["xmic", "coop", "cocoop", "zero-shot"])
    text = report(results_of(tmp_path / "results.jsonl", "it"), GRID)
    steps = text.split("## Seconds of a training step")[1].split("## Memory")[0]
    row = {line.split(" | ")[0]: line for line in steps.splitlines()}
    assert "10 s | ×1,876, 30 s | " in row["| coop"]
    assert row["| coop"].count("≈") == 2
    assert row["| cocoop"].count("≈") == 6
    assert row["| zero-shot"].count("no step") == 6
    assert row["| a5"].count("not measured") == 6
    assert "Missing, not measured yet: late-fusion/test-c100" in text
    assert "a5 C = 100, B = 16" in text
    assert "≥ ×" in text
    assert "where there are both: coop C = 100, B = 128: 10.1 s for 10.1 s." in text
    assert "| cocoop | ≈ ×1, 10 ms | –" in text
    measured(Results(tmp_path / "results.jsonl", ON), FakeLab())
    assert "issing" not in report(results_of(tmp_path / "results.jsonl", "it"), GRID)


def test_without_a_result_there_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--report", str(tmp_path / "cost.md"), "--results", str(tmp_path / "none.jsonl")]) == 3
    assert "there is no result to report. Run python -m benchmarks.cost" in capsys.readouterr().err


def test_a_report_is_written_from_results_alone(tmp_path: Path) -> None:
    measured(Results(tmp_path / "results.jsonl", ON), FakeLab(), ["xmic"])
    assert main(["--report", str(tmp_path / "cost.md"), "--results", str(tmp_path / "results.jsonl")]) == 0
    assert (tmp_path / "cost.md").read_text().startswith("# What a method costs")
    found = results_of(tmp_path / "results.jsonl", "it").read("xmic/step-c100-b16")
    assert found == {"seconds": pytest.approx(0.016), "bytes": 16 * 2**20}


def test_class_names_are_distinct_have_one_to_four_words_and_the_first_are_as_long_as_all() -> None:
    names = class_names(521)
    assert len(set(names)) == 521
    assert {len(name.split()) for name in names} == {1, 2, 3, 4}
    assert max(len(name.split()) for name in names[:8]) == 4
    assert names[:100] == class_names(100)


@pytest.fixture(scope="module")
def lab() -> Lab:
    torch.set_num_threads(1)
    return Lab(QUICK_ENCODER, "cpu")


@pytest.mark.parametrize("method", ["xmic", "cocoop"])
def test_a_step_and_a_test_are_timed_on_the_tiny_encoder(lab: Lab, method: str) -> None:
    step, test = lab.step(Step(method, 4, 2)), lab.score(method, 4)
    assert step["seconds"] > 0
    assert step["bytes"] is None or step["bytes"] >= 0
    assert test["clip"] > 0
    assert test["once"] is None


def test_names_are_encoded_once_where_no_clip_changes_them(lab: Lab) -> None:
    assert lab.score("coop", 4)["once"] > 0


def test_memory_that_a_step_takes_is_seen(lab: Lab) -> None:
    before = lab._memory_now()
    if before is None:
        pytest.skip("this system does not tell a process's memory")
    torch.ones(8 * 2**20)
    peak = lab._memory_peak()
    assert peak is not None
    assert peak - before > 24 * 2**20


def test_the_limit_is_where_reckoning_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LIMIT_S", 1e9)
    lab = FakeLab()
    measured(Results(tmp_path / "results.jsonl", ON), lab, ["cocoop"])
    assert Step("cocoop", 521, 128) in lab.asked
