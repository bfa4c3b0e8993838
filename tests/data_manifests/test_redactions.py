from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from data_manifests.redactions import blank_seconds, read_redactions
from tests.data_manifests.ego4d_files import write_json, write_metadata


def test_stretches_are_read_per_recording_and_recordings_without_one_left_out(tmp_path: Path) -> None:
    file = write_metadata(tmp_path / "ego4d.json", {"a": [(10.0, 20.5)], "b": []})
    assert read_redactions(file) == {"a": [(10.0, 20.5)]}


def test_stretches_that_touch_or_overlap_are_one(tmp_path: Path) -> None:
    intervals = [(30.0, 40.0), (10.0, 20.0), (20.0, 25.0), (12.0, 13.0)]
    file = write_metadata(tmp_path / "ego4d.json", {"a": intervals})
    assert read_redactions(file) == {"a": [(10.0, 25.0), (30.0, 40.0)]}


@pytest.mark.parametrize(
    ("start_s", "stop_s", "blank_s"), [(0, 10, 0), (5, 12, 2), (11, 19, 8), (19, 31, 2), (0, 50, 20), (20, 30, 0)]
)
def test_blank_seconds_of_an_interval_are_added_up(start_s: float, stop_s: float, blank_s: float) -> None:
    assert blank_seconds([(10.0, 20.0), (30.0, 40.0)], start_s, stop_s) == blank_s


def test_a_recording_whose_intervals_are_null_has_none(tmp_path: Path) -> None:
    file = write_json(tmp_path / "ego4d.json", {"videos": [{"video_uid": "a", "redacted_intervals": None}]})
    assert read_redactions(file) == {}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"videos": 3},
        {"videos": ["a"]},
        {"videos": [{"redacted_intervals": [{"start_sec": 1.0, "end_sec": 2.0}]}]},
        {"videos": [{"video_uid": "a", "redacted_intervals": [{"start_sec": 1.0}]}]},
        {"videos": [{"video_uid": "a", "redacted_intervals": [[1.0, 2.0]]}]},
        {"videos": [{"video_uid": "a", "redacted_intervals": [{"start_sec": None, "end_sec": 2.0}]}]},
    ],
)
def test_another_grammar_is_refused_by_name(tmp_path: Path, content: Any) -> None:
    file = write_json(tmp_path / "ego4d.json", content)
    with pytest.raises(InputError) as error:
        read_redactions(file)
    assert str(error.value) == (
        f"{file}: expected the metadata of Ego4D, 'videos' each with a 'video_uid' and 'redacted_intervals' of "
        "start_sec and end_sec. Put it right, or take it away if redactions need not be known."
    )
