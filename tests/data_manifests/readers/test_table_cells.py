from __future__ import annotations

import math
from typing import Any

import pytest

from data_manifests.readers import Reject
from data_manifests.readers.table_cells import folded, frame_number, meant, names, seconds, text


@pytest.mark.parametrize(("cell", "found"), [(None, None), (math.nan, None), ("  ", None), (" a b ", "a b"), (3, "3")])
def test_blanks_and_nan_are_no_text(cell: Any, found: str | None) -> None:
    assert text(cell) == found


@pytest.mark.parametrize(("cell", "found"), [("1.5", 1.5), ("0:01:02.5", 62.5), (2, 2.0), ("", None), (math.nan, None)])
def test_seconds_may_be_text_a_clock_or_a_number(cell: Any, found: float | None) -> None:
    assert seconds({"start_s": cell}, "start_s") == found


@pytest.mark.parametrize("cell", ["00:61", "inf", "1,5"])
def test_what_is_no_time_is_rejected(cell: str) -> None:
    with pytest.raises(Reject, match="start_s"):
        seconds({"start_s": cell}, "start_s")


@pytest.mark.parametrize("cell", ["1e3", "12.5", "٣", str(2**31), "-0", "9" * 5000])
def test_what_is_no_frame_number_is_rejected(cell: str) -> None:
    with pytest.raises(Reject, match="is not a frame number"):
        frame_number({"start_frame": cell}, "start_frame")


def test_names_come_once_and_in_order() -> None:
    assert names("b; a;b ;") == ["b", "a"]
    assert names(["b", None, "a", "b"]) == ["b", "a"]
    assert names(None) == names("") == []


def test_a_name_is_folded_over_case_blanks_and_dashes_only() -> None:
    assert folded(" Cutting_Board ") == folded("cutting-board") == "cutting board"
    assert folded("cups") != folded("cup")
    assert meant("PAN", ["lid", "pan"]) == "; did you mean 'pan'?"
    assert meant("pans", ["pan"]) == ""


@pytest.mark.parametrize("cell", [[1.5, "b"], [["a"]], "['a', 2.5]", "['a'", "['pan' 'lid']", [True]])
def test_what_is_no_list_of_names_is_rejected(cell: Any) -> None:
    with pytest.raises(Reject, match="is not a list of names"):
        names(cell)
