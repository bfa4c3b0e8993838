from __future__ import annotations

import weakref

import pytest

from data_manifests.errors import InputError
from pipelines.engine.batches import Failed, Known, batch_size, in_batches, in_pieces

BROKEN = Failed("decode_error", "not a JPEG")


class Doubling:
    """A network that remembers how many inputs its calls had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, inputs: list[int]) -> list[int]:
        self.calls.append(len(inputs))
        return [2 * value for value in inputs]


@pytest.mark.parametrize(
    ("size", "calls"), [(1, [1] * 10), (4, [4, 4, 2]), (5, [5, 5]), (10, [10]), (64, [10])], ids=str
)
def test_only_the_last_call_is_not_full(size: int, calls: list[int]) -> None:
    network = Doubling()
    rows = [(f"row {number}", number) for number in range(10)]
    assert list(in_batches(rows, size, network)) == [(f"row {number}", 2 * number) for number in range(10)]
    assert network.calls == calls


def test_a_failed_row_keeps_its_place_and_takes_none_in_a_batch() -> None:
    network = Doubling()
    rows = [(number, BROKEN if number in (0, 2, 3, 8, 9) else number) for number in range(10)]
    found = list(in_batches(rows, 3, network))
    assert found == [(number, BROKEN if number in (0, 2, 3, 8, 9) else 2 * number) for number in range(10)]
    assert network.calls == [3, 2]


def test_a_known_row_keeps_its_place_and_is_not_computed() -> None:
    network = Doubling()
    rows = [(number, Known(-number) if number in (0, 2, 7) else number) for number in range(8)]
    found = list(in_batches(rows, 3, network))
    assert found == [(number, -number if number in (0, 2, 7) else 2 * number) for number in range(8)]
    assert network.calls == [3, 2]


def test_a_network_is_not_called_without_inputs() -> None:
    network = Doubling()
    assert list(in_batches([("a", BROKEN)], 3, network)) == [("a", BROKEN)]
    assert list(in_batches([], 3, network)) == []
    assert network.calls == []


def test_at_most_one_batch_of_inputs_is_held_and_none_while_its_outputs_are_taken() -> None:
    class Picture:
        pass

    made: list[weakref.ref[Picture]] = []

    def rows():
        for number in range(12):
            picture = Picture()
            made.append(weakref.ref(picture))
            yield number, picture
            del picture

    def alive() -> int:
        return sum(one() is not None for one in made)

    most = []

    def network(pictures: list[Picture]) -> list[int]:
        most.append(alive())
        return [0] * len(pictures)

    for number, _ in in_batches(rows(), 4, network):
        assert alive() <= 1, number  # the last one drawn
    assert most == [4, 4, 4]


def test_too_few_outputs_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 results for 3 inputs\. Where the encoder or the detector is your own"):
        list(in_batches([(number, number) for number in range(3)], 3, lambda inputs: inputs[1:]))


def test_pieces_have_one_length_but_for_the_last() -> None:
    assert list(in_pieces(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert [len(piece) for piece in in_pieces(range(130))] == [64, 64, 2]


def test_the_batch_size_is_what_the_batch_shape_says() -> None:
    assert batch_size({"device": "cpu", "batch_shape": [16, 3, 224, 224]}) == 16
    assert batch_size({}) == 64
