from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from pipelines.report.metrics_file import read_metrics


def test_an_evaluation_is_read_as_it_was_written(evaluated: Callable[..., Path], metrics: Callable[..., dict]) -> None:
    read = read_metrics(evaluated(metrics(hand_fallback_rate=0.25)))
    assert (read.run.name, str(read.target), read.within) == ("xmic-official-clips-s0-1a2b3c4d", "clips val", True)
    assert read.labels["verb"].top1 == 50.0
    assert read.complete


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
        ("labels", {"noun": {"top1": 1.0}}, "labels.noun.top5: Field required"),
        ("labels", {"adverb": {}}, "labels.adverb"),
        ("failures", {"decode": 3}, "failures.decode: Input should be a valid dictionary"),
        ("hand_fallback_rate", float("nan"), "hand_fallback_rate: Input should be a finite number"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(
    evaluated: Callable[..., Path], metrics: Callable[..., dict], part: str, value: Any, message: str
) -> None:
    file = evaluated(metrics(**{part: value}))
    with pytest.raises(InputError, match=re.escape(f"{file}: {message}")):
        read_metrics(file)


def test_what_a_later_evaluate_adds_is_no_error(evaluated: Callable[..., Path], metrics: Callable[..., dict]) -> None:
    file = evaluated(metrics())
    file.write_text(json.dumps(json.loads(file.read_text()) | {"macro_f1": 3.0}))
    assert read_metrics(file).target.dataset == "clips"


@pytest.mark.parametrize("change", [{"n_evaluated": 3}, {}])
def test_an_evaluation_with_missing_clips_or_failures_is_not_complete(
    evaluated: Callable[..., Path], metrics: Callable[..., dict], change: dict
) -> None:
    made = metrics(failures={} if change else {"decode": {"past_end": 1}})
    made["labels"]["noun"].update(change)
    assert not read_metrics(evaluated(made)).complete


def test_of_given_scores_nothing_is_known_of_a_run(
    evaluated: Callable[..., Path], metrics: Callable[..., dict]
) -> None:
    made = metrics("other", run="theirs")
    made["run"] |= {**dict.fromkeys(("preset", "seed", "key", "recipe", "epochs")), "method": "scored: theirs"}
    read = read_metrics(evaluated({**made, "source": None}))
    assert read.run.scored
    assert read.run.terms == "scores that were given; how the model was trained is not known here"
    assert str(read.source) == "not said"
