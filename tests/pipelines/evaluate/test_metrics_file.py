from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from pipelines.evaluate.intervals import interval, resampled
from pipelines.evaluate.metrics_file import (
    Metrics,
    folder_name,
    metrics_text,
    parse_folder_name,
    read_metrics,
    write_metrics,
)
from pipelines.evaluate.options import Control
from tests.pipelines.evaluate.cards import METRICS

WRITTEN_BEFORE = Path(__file__).with_name("metrics_of_0_1_0.json")
"""An X-MIC run of the demo across datasets, as xmic 0.1.0 wrote it before one schema was written and read."""


def evaluated(folder: Path, **parts: Any) -> Path:
    file = folder / "metrics.json"
    file.write_text(json.dumps({**copy.deepcopy(METRICS), **parts}), encoding="utf-8")
    return file


def test_an_evaluation_is_read_as_it_was_written(tmp_path: Path) -> None:
    read = read_metrics(evaluated(tmp_path, hand_fallback_rate=0.25))
    assert (read.run.name, str(read.target), read.within) == ("theirs", "mine val", False)
    assert (read.labels["noun"].top1, read.labels["noun"].recordings["r"]) == (25.0, (1, 2))
    assert read.hand_fallback_rate == 0.25


def test_a_file_that_was_written_before_is_read_and_written_with_the_same_bytes() -> None:
    read = read_metrics(WRITTEN_BEFORE)
    assert read.labels["noun"].selected_epoch is not None
    assert read.actions is not None
    assert metrics_text(read.as_dict()) == WRITTEN_BEFORE.read_text(encoding="utf-8")


def test_what_is_not_set_is_not_written_and_null_is_null_again(tmp_path: Path) -> None:
    metrics = Metrics.model_validate(METRICS)
    assert "selected_epoch" not in metrics.as_dict()["labels"]["noun"]
    assert metrics.as_dict()["source"] is None
    write_metrics(tmp_path, metrics)
    assert read_metrics(tmp_path / "metrics.json") == metrics


def test_what_is_found_out_of_date_is_not_written() -> None:
    metrics = Metrics.model_validate(METRICS)
    assert metrics_text(metrics.model_copy(update={"outdated": "since"}).as_dict()) == metrics_text(metrics.as_dict())


def test_each_recording_lies_on_one_line_of_the_text() -> None:
    text = metrics_text(Metrics.model_validate(METRICS).as_dict())
    assert '        "r": [1, 2],\n        "s": [0, 2]\n' in text


@pytest.mark.parametrize("within", [True, False])
def test_every_number_of_a_target_takes_the_draws_of_the_target(within: bool) -> None:
    recordings = {f"v{k}": (7 * k % 11, 11 + k) for k in range(12)}
    noun = {**METRICS["labels"]["noun"], "recordings": recordings}
    metrics = Metrics.model_validate({**METRICS, "within": within, "labels": {"noun": noun}})
    found = metrics.interval(metrics.labels["noun"])
    assert found == interval(resampled(recordings, 0 if within else 1))
    assert found != interval(resampled(recordings, 1 if within else 0))


def test_without_a_clip_there_is_no_interval() -> None:
    metrics = Metrics.model_validate(METRICS)
    assert metrics.interval(None) is None
    assert metrics.interval(metrics.labels["noun"].model_copy(update={"recordings": {}})) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON (Expecting property name"),
        ("[1]", "schema None, this xmic reads schema 3. Run xmic evaluate again."),
        ('{"schema": 2}', "schema 2, this xmic reads schema 3. Run xmic evaluate again."),
        ('{"schema": 3}', "run: Field required. Run xmic evaluate again."),
    ],
)
def test_a_file_that_is_no_evaluation_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(content)
    with pytest.raises(InputError, match=re.escape(f"{file}: {message}")):
        read_metrics(file)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("labels", {"noun": {"top1": 1.0}}, "labels.noun."),
        ("labels", {"adverb": {}}, "labels.adverb"),
        ("failures", {"decode": 3}, "failures.decode: Input should be a valid dictionary"),
        ("hand_fallback_rate", float("nan"), "hand_fallback_rate: Input should be a finite number"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, part: str, value: Any, message: str) -> None:
    file = evaluated(tmp_path, **{part: value})
    with pytest.raises(InputError, match=re.escape(f"{file}: {message}")):
        read_metrics(file)


def test_what_a_later_evaluate_adds_is_no_error(tmp_path: Path) -> None:
    assert read_metrics(evaluated(tmp_path, macro_f1=3.0)).target.dataset == "mine"


@pytest.mark.parametrize(
    ("evaluated_clips", "failures", "complete"),
    [(5, {}, True), (4, {}, False), (5, {"decode": {"past_end": 1}}, False)],
)
def test_an_evaluation_with_missing_clips_or_failures_is_not_complete(
    tmp_path: Path, evaluated_clips: int, failures: dict, complete: bool
) -> None:
    noun = {**METRICS["labels"]["noun"], "n_evaluated": evaluated_clips}
    assert read_metrics(evaluated(tmp_path, labels={"noun": noun}, failures=failures)).complete is complete


def test_of_given_scores_nothing_is_known_of_a_run(tmp_path: Path) -> None:
    read = read_metrics(evaluated(tmp_path))
    assert read.run.scored
    assert read.run.terms == "scores that were given; how the model was trained is not known here"
    assert str(read.trained_on) == "not said"


@pytest.mark.parametrize(
    ("control", "name"),
    [(Control(), "run-1"), (Control("mean"), "run-1@mean"), (Control(order="reversed"), "run-1@frames-reversed")],
)
def test_a_control_has_a_folder_of_its_own_that_says_what_it_is(control: Control, name: str) -> None:
    assert folder_name("run-1", control) == name
    assert parse_folder_name(name) == ("run-1", control)


def test_every_changed_digit_of_the_file_is_noticed(tmp_path: Path) -> None:
    write_metrics(tmp_path, Metrics.model_validate(METRICS))
    file = tmp_path / "metrics.json"
    whole = file.read_text()
    name = whole.index('"sha256"')  # a changed name of the digest changes no number
    changed = [place for place, sign in enumerate(whole) if sign.isdigit() and not name < place < name + 8]
    assert len(changed) > 50
    for place in changed:
        file.write_text(f"{whole[:place]}{(int(whole[place]) + 1) % 10}{whole[place + 1 :]}")
        with pytest.raises(InputError, match=r"metrics\.json"):
            read_metrics(file)
