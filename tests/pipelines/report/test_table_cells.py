from __future__ import annotations

import pytest

from pipelines.evaluate.evaluation import harmonic_mean_of
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.table_cells import PaperNumber, TableCell, measured, measured_reference
from tests.pipelines.report.evaluations import both


def _pair(**how) -> tuple[Metrics, Metrics]:
    own, other = (Metrics.model_validate(made) for made in both(**how))
    return own, other


def test_a_harmonic_mean_has_the_clips_of_both_and_no_seed_no_deviation() -> None:
    found = measured([_pair()], "noun", "hm")
    assert found is not None
    assert (found.cell.value, found.cell.evaluated, found.cell.sd) == (pytest.approx(30.0), 80_000, None)


def test_of_one_seed_the_interval_is_that_of_the_evaluation() -> None:
    own, other = both()
    for made in (own, other):
        made["labels"]["noun"]["recordings"] = {f"v{k}": [7 * k % 11, 11 + k] for k in range(12)}
    pair = Metrics.model_validate(own), Metrics.model_validate(other)
    for kind, metrics in zip(("within", "cross"), pair, strict=True):
        found = measured([pair], "noun", kind)
        assert found is not None
        assert found.cell.interval == pytest.approx(metrics.interval(metrics.labels["noun"]))
    joined, mean = measured([pair], "noun", "hm"), harmonic_mean_of(*pair, "noun")
    assert joined is not None
    assert mean is not None
    assert joined.cell.interval == pytest.approx(mean.interval)


@pytest.mark.parametrize("form", ["restricted", "unrestricted"])
@pytest.mark.parametrize("part", ["shared", "novel"])
def test_of_one_seed_the_interval_of_a_part_is_that_of_the_evaluation(part: str, form: str) -> None:
    own, other = both()
    noun = other["labels"]["noun"]
    noun["recordings"] = {f"v{k}": [7 * k % 11, 11 + k] for k in range(12)}
    noun["parts"][part][form]["recordings"] = {f"v{k}": [k % 3, 3] for k in range(0, 12, 3)}
    pair = Metrics.model_validate(own), Metrics.model_validate(other)
    found = measured([pair], "noun", part if form == "restricted" else f"all {part}")
    assert found is not None
    numbers = pair[1].labels["noun"]
    assert found.cell.interval == pair[1].interval(getattr(numbers.parts[part], form), numbers)


@pytest.mark.parametrize("kind", ["cross", "hm", "shared", "novel called shared"])
def test_without_the_cross_evaluation_there_is_no_such_number(kind: str) -> None:
    own, _ = _pair()
    assert measured([(own, None)], "noun", kind) is None
    assert measured([(own, None)], "noun", "within") is not None


def test_a_number_that_one_seed_lacks_is_not_the_mean_of_the_others() -> None:
    own, other = _pair()
    assert measured([(own, other), (own, None)], "noun", "cross") is None


def test_seeds_on_other_clips_have_a_mean_and_no_interval() -> None:
    own, other = both(seed=1)
    own["labels"]["noun"]["recordings"].pop("v0")
    again = (Metrics.model_validate(own), Metrics.model_validate(other))
    found = measured([_pair(), again], "noun", "within")
    assert found is not None
    assert (found.cell.value, found.cell.interval) == (pytest.approx(30.0), None)


def test_a_reference_has_the_same_kinds_of_numbers() -> None:
    found = measured_reference(_pair(), "verb", "chance", "hm")
    assert found is not None
    assert found.cell.value == pytest.approx(10.0)
    assert measured_reference(_pair(), "verb", "zero_shot_prior", "hm") is None


def test_the_difference_is_to_the_right_harmonic_mean() -> None:
    cell = TableCell(30.0, paper=PaperNumber(31.21, 31.23))
    assert (cell.paper_text, cell.difference) == ("31.21 ! 31.23", pytest.approx(-1.23))
    assert TableCell(paper=PaperNumber(1.0)).difference is None


def test_a_cell_says_what_it_is_in_words() -> None:
    cell = TableCell(12.25, 0.5, (10.04, 14.0), "bootstrap", 3, 4, True)
    assert (cell.text, cell.spread, cell.between) == ("12.25*", "± 0.50", "10.0–14.0")
    assert TableCell(0.0, interval=(0.0, 39.0), interval_kind="wilson").between == "0.0–39.0 w"
    assert TableCell(0.0, interval_kind="degenerate").between == "no interval"
    assert (TableCell().text, TableCell().between, TableCell().paper_text) == ("–", "", "")
