from __future__ import annotations

from typing import Any

import pytest

from data_manifests.errors import UsageError
from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.answer_table import answer_table
from pipelines.predict.answers import Answers

_GOOD = ClipAnswers("a.mp4", 0.0, 1.5, "tea", {"noun": [Answer("cup", 0.75, 2.0)]}, ("noun",), None)
_FAILED = ClipAnswers("b.mp4", 0.0, None, None, {}, (), "past_end: too late")


def test_a_clip_is_a_row_and_one_that_failed_has_its_reason() -> None:
    table = answer_table([_GOOD, _FAILED], {"noun": 1})
    good, failed = table.to_pylist()
    assert list(good.values()) == ["a.mp4", 0.0, 1.5, "tea", True, "cup", 0.75, 2.0, None]
    assert list(failed.values()) == ["b.mp4", 0.0, None, None, None, None, None, None, "past_end: too late"]
    assert table.column_names[4:8] == ["noun_is_none_of_these", "noun_1", "noun_1_probability", "noun_1_score"]


def test_without_pandas_a_data_frame_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> Any:
        return None

    monkeypatch.setattr("pipelines.predict.answers.find_spec", nothing)
    with pytest.raises(UsageError, match=r"pandas is not installed\. Run pip install pandas, or take to_table"):
        Answers.to_pandas(None)  # type: ignore[arg-type]
