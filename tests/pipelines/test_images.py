from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.images import decode_ahead


class Column:
    """A column of JPEGs that counts how many were taken from it."""

    def __init__(self, jpegs: list[bytes]) -> None:
        self.jpegs, self.taken = jpegs, 0

    def __iter__(self) -> Iterator[Column]:
        return (self for _ in self.jpegs)

    def as_py(self) -> bytes:
        self.taken += 1
        return self.jpegs[self.taken - 1]


@pytest.mark.parametrize("workers", [1, 3])
def test_pictures_come_in_order_and_at_most_two_a_worker_are_decoded_ahead(workers: int) -> None:
    column = Column([to_jpeg(np.full((8, 8, 3), 4 * number, np.uint8), 95) for number in range(40)])
    for number, picture in enumerate(decode_ahead(column, workers)):  # type: ignore[arg-type]
        assert abs(int(picture[0, 0, 0]) - 4 * number) <= 2
        assert column.taken <= number + 1 + 2 * workers
    assert column.taken == 40


def test_a_broken_picture_is_an_error_in_its_place() -> None:
    good = to_jpeg(np.zeros((8, 8, 3), np.uint8), 95)
    found = list(decode_ahead(Column([good, b"no", good]), 1))  # type: ignore[arg-type]
    assert [isinstance(item, InputError) for item in found] == [False, True, False]
