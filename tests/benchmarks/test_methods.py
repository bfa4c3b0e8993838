from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.methods import __main__ as command
from benchmarks.methods import run as running
from benchmarks.methods.cells import CELLS, CUTS, DEAR, TITLES, MethodCell, in_words, overrides, terms
from benchmarks.methods.report import report, shared_novel_hm
from benchmarks.methods.run import Children, missing, run
from benchmarks.pocket.cells import SIZES, SOURCES, recipe
from benchmarks.result_file import Results
from data_manifests.errors import InputError, Interrupted
from pipelines.engine.machine import Machine
from pipelines.engine.workers import Outcome
from pipelines.methods import METHODS, load_method
from pipelines.methods.base import resolve_config

MADE = {"frozen": "f" * 64, "size": "medium"}
XMIC, COOP = MethodCell("xmic", "published"), MethodCell("coop", "matched")
A5 = MethodCell("a5", "published")


def part(right: float, clips: int, recording: str = "a") -> dict[str, Any]:
    return {"clips": clips, "right": right, "recordings": {recording: [right, clips]} if clips else {}}


def entry() -> dict[str, Any]:
    parts = {"within": part(5, 10), "cross": part(2, 10), "shared": part(1, 5), "novel": part(1, 5)}
    return {**parts, "restricted": {"shared": part(2, 5), "novel": part(4, 5)}}


def result(cell: MethodCell, seed: int, **cost: Any) -> dict[str, Any]:
    trials = [{"lr": 1e-3}, {"lr": 1e-2, "diverged": "step 3"}]
    head = {"parameters": 1024, **({"lr": 1e-3, "trials": trials} if cell.recipe == "matched" else {})}
    known = {"training_seconds": 60.0 + seed, "sittings": 1, "seconds_per_step": 0.25, "evaluation_seconds": 10.0}
    more = {"evaluation_clips": 20, "peak_mb": 900.0 + seed, "libraries_mb": 300.0}
    return {
        "terms": terms(cell, "medium"),
        "workers": 1,
        "labels": {label: entry() for label in ("noun", "verb")},
        "heads": dict.fromkeys(("noun", "verb"), head),
        "cost": {**known, **more, **cost},
    }


class FakeMaker:
    """Results without a world; counts what it is asked."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.worlds: list[int] = []
        self.measured: list[tuple[int, str, str]] = []
        self._left = stop_after

    def world(self, seed: int) -> int:
        self.worlds.append(seed)
        return seed

    def measure(self, cell: MethodCell, source: str, world: int) -> dict[str, Any]:
        if self._left is not None:
            if not self._left:
                raise Interrupted("the time is over")
            self._left -= 1
        self.measured.append((world, cell.name, source))
        return result(cell, world)


def test_every_method_has_a_row_by_each_recipe() -> None:
    assert set(TITLES) == set(METHODS)
    assert {cell.method for cell in CELLS} == set(METHODS)
    assert len({cell.name for cell in CELLS}) == len(CELLS) == 2 * len(METHODS) - 1


@pytest.mark.parametrize("size", SIZES)
def test_all_methods_share_batch_and_epochs_of_a_size_but_for_what_is_cut(size: str) -> None:
    shared = {name: value for name, value in recipe(size).items() if name in ("batch", "epochs")}
    for cell in CELLS:
        if cell.recipe is None:
            assert overrides(cell, size) == {}
            continue
        used = resolve_config(load_method(cell.method), overrides=overrides(cell, size)).recipe
        own = resolve_config(load_method(cell.method)).recipe
        cut = (cell.method, cell.recipe) in CUTS and size in ("full", "medium")
        assert {name: getattr(used, name) for name in shared if name != "epochs" or not cut} == {
            name: value for name, value in shared.items() if name != "epochs" or not cut
        }
        assert used.warmup_epochs <= own.warmup_epochs
        assert used.lr == own.lr


def test_x_mic_is_trained_as_in_the_experiment_on_the_same_worlds() -> None:
    for size in SIZES:
        assert overrides(XMIC, size) == recipe(size)


def test_a_cut_is_said_with_what_it_is_cut_from() -> None:
    assert in_words(terms(MethodCell("vita-clip", "matched"), "medium")) == "1 of 15 epochs, 8 of 16 frames"
    assert in_words(terms(XMIC, "medium")) == ""
    assert in_words(terms(MethodCell("zero-shot", None), "medium")) == ""
    assert "lr" not in terms(COOP, "medium")
    assert terms(MethodCell("coop", "published"), "medium")["lr"] == resolve_config(load_method("coop")).recipe.lr


def test_a_warm_up_is_cut_as_the_epochs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CUTS, ("xmic", "published"), {"epochs": 4})
    assert overrides(XMIC, "medium") == {"batch": 32, "epochs": 4, "warmup_epochs": 1}
    assert in_words(terms(XMIC, "medium")) == "1 of 5 warmup epochs, 4 of 15 epochs"


def test_cheap_methods_come_first_then_the_published_recipe_then_seed_by_seed(tmp_path: Path) -> None:
    steps = missing(Results(tmp_path / "results.jsonl", MADE), [2, 0])
    assert len(steps) == len(CELLS) * 2 * len(SOURCES)
    order = [(cell.method in DEAR, cell.recipe == "matched", [2, 0].index(seed)) for seed, cell, _ in steps]
    assert order == sorted(order)
    assert steps[0][1].method == "zero-shot"
    assert {cell.method for _, cell, _ in steps[-4:]} == {"cocoop", "vita-clip"}


def test_what_is_there_is_not_made_again_and_a_stop_loses_nothing(tmp_path: Path) -> None:
    results, cells = Results(tmp_path / "results.jsonl", MADE), (MethodCell("zero-shot", None), XMIC, COOP)
    first, rest, again = FakeMaker(stop_after=5), FakeMaker(), FakeMaker()
    with pytest.raises(Interrupted):
        run(results, [0, 1], first, cells)
    assert run(results, [0, 1], rest, cells) == 7
    assert len({*first.measured, *rest.measured}) == 12
    assert rest.worlds == [0, 1] or rest.worlds == [1, 0]
    assert run(results, [0, 1], again, cells) == 0
    assert again.worlds == []
    with pytest.raises(InputError, match="made with frozen f+, here it is 0"):
        run(Results(tmp_path / "results.jsonl", {**MADE, "frozen": "0"}), [0], again, cells)


def test_nothing_is_trained_when_the_worlds_are_not_what_was_frozen(tmp_path: Path) -> None:
    def refuse() -> None:
        raise InputError("not frozen")

    maker = FakeMaker()
    with pytest.raises(InputError, match="not frozen"):
        run(Results(tmp_path / "results.jsonl", MADE), [0], maker, (XMIC,), refuse)
    assert maker.worlds == []
    assert run(Results(tmp_path / "results.jsonl", MADE), [0], maker, (MethodCell("zero-shot", None),), refuse) == 2


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Outcome], dict[str, Any]]:
    """What becomes of the outcome of a run's process."""
    root = SimpleNamespace(evaluation_split=lambda name: "val", root=tmp_path)
    drawn = SimpleNamespace(seed=3, workspace=root, encoder="pocket-1", hands={"true": "hand-a", "random": "hand-b"})

    def measure(outcome: Outcome) -> dict[str, Any]:
        def child(task: Any) -> Outcome:
            assert task.targets == (("ego4d", "val"), ("epic", "val"))
            assert (task.request.seed, task.request.policy.recipe) == (3, "matched")
            assert (task.request.classify, task.request.hands) == ("hand", "hand-a")
            return outcome

        monkeypatch.setattr(running, "run_in_child", child)
        return Children(tmp_path, "medium", Machine(), None).measure(COOP, "ego4d", drawn)  # type: ignore[arg-type]

    return measure


def test_a_diverged_run_is_a_result_and_an_interrupted_or_failed_one_is_none(measured: Any) -> None:
    found = measured(Outcome("x", None, "Diverged", "Diverged: epoch 2: the loss is nan"))
    assert found["diverged"] == "Diverged: epoch 2: the loss is nan"
    assert found["terms"]["batch"] == 32
    with pytest.raises(Interrupted, match="coop-matched: Interrupted: the time is over"):
        measured(Outcome("x", None, "Interrupted", "Interrupted: the time is over."))
    with pytest.raises(InputError, match="seed 3, ego4d, coop-matched: worker_killed: signal SIGKILL"):
        measured(Outcome("x", None, "worker_killed", "signal SIGKILL"))


def test_the_report_has_the_layout_of_both_tables_with_time_and_memory(tmp_path: Path) -> None:
    results, cells = Results(tmp_path / "results.jsonl", MADE), [MethodCell("zero-shot", None), XMIC, COOP]
    run(results, [0, 1], FakeMaker(), cells)
    text = report(results, [0, 1], cells)
    assert "## Missing" not in text
    assert "| method | recipe | noun epic | noun ego4d | noun hm | verb epic | verb ego4d | verb hm |" in text
    assert "| method | recipe | noun ego4d | noun epic | noun hm |" in text
    assert "| X-MIC | published | 50.0 ± 0.0 [50.0, 50.0] | 20.0 ± 0.0 [20.0, 20.0] | 28.6 ± 0.0 [28.6, 28.6] |" in text
    assert "| 1.0 | 901 | 2 seeds |" in text
    assert "| CoOp | matched | 40.0 ± 0.0 [40.0, 40.0] | 80.0 ± 0.0 [80.0, 80.0] | 53.3 ± 0.0 [53.3, 53.3] |" in text
    assert "| CoOp | matched | 20.0 ± 0.0 [20.0, 20.0] | 20.0 ± 0.0 [20.0, 20.0] | 20.0 ± 0.0 [20.0, 20.0] |" in text
    assert "| CoOp | matched | 1,024 | 60 ± 1 | 0.25 ± 0 | 2.0 | 901 | – | 4 |" in text
    assert "| CoOp | ego4d | verb | 0.001 (diverged: 0.01) | 0.001 (diverged: 0.01) |" in text
    assert "Clips a step, of every method: 32." in text
    assert "it had 300–300 MB" in text


def test_what_is_missing_stands_there_with_its_command(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    results.write("seed-0/epic/xmic-published", result(XMIC, 0))
    text = report(results, [0, 1], [XMIC, COOP])
    start = "`python -m benchmarks.methods WORK --size medium --seeds 0 1 --methods"
    assert f"| X-MIC | published | 0 ego4d, 1 epic, 1 ego4d | {start} xmic --recipes published` |" in text
    assert f"| CoOp | matched | everything | {start} coop --recipes matched` |" in text
    assert "Learning rates" not in text


def test_a_time_that_is_not_known_is_not_reported_and_a_divergence_is(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    results.write(
        "seed-0/epic/xmic-published", result(XMIC, 0, training_seconds=None, evaluation_seconds=None, sittings=2)
    )
    results.write("seed-1/epic/xmic-published", {"terms": {}, "workers": 1, "diverged": "epoch 1"})
    text = report(results, [0, 1], [XMIC])
    assert "| – | 900 | seed 1: diverged; 2 seeds |" in text
    unknown = "1; 1 killed, training time not known; 1 interrupted, evaluation time not known"
    assert f"| X-MIC | published | 1,024 | – | 0.25 | – | 900 | – | {unknown} |" in text
    results.write("seed-1/epic/xmic-published", result(XMIC, 1, sittings=3))
    assert "| 2; 1 interrupted, times summed; 1 killed" in report(results, [0, 1], [XMIC])


def test_shared_and_novel_clips_are_drawn_with_the_same_recordings() -> None:
    # In each recording one part is right and the other wrong: whichever are drawn, the two add up to one.
    parts = {
        name: {"clips": 40, "right": 20.0, "recordings": {f"r{n}": [float(n % 2 == odd), 1] for n in range(40)}}
        for name, odd in (("shared", 0), ("novel", 1))
    }
    found = shared_novel_hm({0: parts})
    assert found is not None
    assert found.mean == pytest.approx(50)
    assert found.bounds is not None
    # 2ab/(a + b) with b = 100 − a is at most 50; of independent draws it is often more.
    assert found.bounds[1] == pytest.approx(50)
    assert found.bounds[0] < 50
    assert shared_novel_hm({0: {"shared": part(1, 2), "novel": part(0, 0)}}) is None


def test_a_harmonic_mean_over_seeds_lies_within_its_interval() -> None:
    # Each seed is good at one part only: its harmonic mean is 0, that of the pooled accuracies were 50.
    def of(right: int) -> dict[str, Any]:
        return {"clips": 40, "right": 40.0 * right, "recordings": {f"r{n}": [float(right), 1] for n in range(40)}}

    found = shared_novel_hm({0: {"shared": of(1), "novel": of(0)}, 1: {"shared": of(0), "novel": of(1)}})
    assert found is not None
    assert (found.mean, found.bounds) == (0, (0, 0))


def test_the_command_reports_what_was_measured_and_refuses_half_a_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "methods.md"
    assert command.main([str(tmp_path), "--report", str(file)]) == 3
    assert "methods.jsonl: there is no result to report. Run python -m benchmarks.methods" in capsys.readouterr().err
    # Their world was another one than today's.
    Results(tmp_path / "methods.jsonl", MADE).write("seed-4/epic/a5-published", result(A5, 4))
    assert command.main([str(tmp_path), "--report", str(file), "--seeds", "4", "--methods", "a5"]) == 0
    assert "--seeds 4 --methods a5 --recipes published`" in file.read_text()
    assert "Size medium, seeds 4; world and encoder frozen as `ffffffffffff`" in file.read_text()
    assert "Vita-CLIP" not in file.read_text()
    assert command.main([]) == 2
    assert command.main([str(tmp_path), "--quick"]) == 2
    assert command.main(["--quick", "--report", str(file)]) == 2
    assert "name a folder WORK, or pass --quick" in capsys.readouterr().err


def test_a_result_has_the_terms_it_was_trained_by(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    run(results, [0], FakeMaker(), (MethodCell("vita-clip", "published"),))
    said = results.read("seed-0/epic/vita-clip-published")
    assert said is not None
    assert (said["terms"]["epochs"], said["terms"]["cut"]["frames"]) == (4, [8, 16])
    assert np.isclose(said["terms"]["lr"], resolve_config(load_method("vita-clip")).recipe.lr)
