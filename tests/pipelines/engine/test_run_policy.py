from __future__ import annotations

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.run_policy import parse_max_failures, parse_shard


@pytest.mark.parametrize("text", ["", "3", "/", "1/", "/2", "2/2", "3/2", "-1/2", "a/b", "0/0", "1/2/3", "²/4", " 0/2"])
def test_a_shard_choice_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_shard(text)
    assert str(error.value) == f"--shard {text}: expected i/N with 0 <= i < N, for instance 0/8"


def test_a_shard_choice_is_read() -> None:
    assert [parse_shard(text) for text in ("0/1", "7/8", "00/10")] == [(0, 1), (7, 8), (0, 10)]


def test_max_failures_is_a_number_of_rows_or_a_share_of_them() -> None:
    values = [parse_max_failures(text) for text in ("0", "20", "5%", "0%", "100%", "2.5%")]
    assert values == [0, 20, 0.05, 0.0, 1.0, 0.025]
    assert [type(value) for value in values] == [int, int, float, float, float, float]


@pytest.mark.parametrize("text", ["", "%", "-1", "-1%", "101%", "0.05", "five", "5 rows", "nan%", "inf%", "1e3"])
def test_max_failures_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_max_failures(text)
    assert str(error.value) == f"--max-failures {text}: expected a number of rows (20) or a percentage (5%)"
