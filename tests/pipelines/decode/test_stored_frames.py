from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.stored_frames import picture_of, prefetch, stored
from pipelines.engine.batches import Failed

WAIT_S = 60


class Rows:
    """Numbers that count how many were taken."""

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.taken += 1
            yield number


@pytest.mark.parametrize(("workers", "at_least", "most"), [(1, 0, 2), (3, 0, 6), (1, 10, 10), (3, 4, 6), (0, 0, 2)])
def test_rows_come_in_order_and_no_more_than_said_are_prepared_ahead(workers: int, at_least: int, most: int) -> None:
    rows = Rows(40)
    for number, found in enumerate(prefetch(rows, lambda row: row * row, workers, at_least)):
        assert found == number * number
        assert rows.taken <= number + 1 + most
    assert rows.taken == 40


def test_rows_are_prepared_in_other_threads_while_the_caller_is_busy() -> None:
    main, third = threading.get_ident(), threading.Event()
    where = set()

    def prepare(row: int) -> int:
        where.add(threading.get_ident())
        if row == 3:
            third.set()
        return row

    found = prefetch(range(8), prepare, 2)
    assert next(found) == 0
    assert third.wait(WAIT_S), "nobody asked for row 3, and yet it is prepared"
    assert list(found) == list(range(1, 8))
    assert main not in where


def test_a_slow_row_does_not_lose_its_place() -> None:
    second = threading.Event()

    def prepare(row: int) -> int:
        if row == 1:
            second.set()
        elif row == 0:
            assert second.wait(WAIT_S)
        return row

    assert list(prefetch(range(6), prepare, 2)) == list(range(6))


def test_an_error_comes_at_its_row() -> None:
    def prepare(row: int) -> int:
        if row == 2:
            raise ValueError("row 2")
        return row

    found = prefetch(range(6), prepare, 2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="row 2"):
        next(found)


def test_frames_come_with_their_keys_over_all_row_groups() -> None:
    tables = [
        pa.table({"video_id": ["a", "a"], "pts": [1, 5], "jpeg": [b"a1", b"a5"]}),
        pa.table({"video_id": ["b"], "pts": [2], "jpeg": [b"b2"]}),
    ]
    assert list(stored(tables)) == [(("a", 1), b"a1"), (("a", 5), b"a5"), (("b", 2), b"b2")]


def test_a_broken_picture_is_an_error_in_its_place() -> None:
    picture = picture_of(to_jpeg(np.full((8, 8, 3), 40, np.uint8), 95))
    assert isinstance(picture, np.ndarray)
    assert abs(int(picture[0, 0, 0]) - 40) <= 2
    failed = picture_of(b"no")
    assert isinstance(failed, Failed)
    assert failed.reason == "decode_error"
    assert "are not a whole JPEG" in failed.error
