from __future__ import annotations

from pipelines.report.choose import by_hash, fair_shares, in_turn


def test_groups_give_one_each_until_there_are_enough() -> None:
    assert in_turn([["a", "b", "c"], ["d"], ["e", "f"]], 5) == ["a", "d", "e", "b", "f"]
    assert in_turn([["a", "b", "c"], ["d"], ["e", "f"]], 99) == ["a", "d", "e", "b", "f", "c"]


def test_an_id_of_two_groups_is_taken_once() -> None:
    assert in_turn([["a", "b"], ["a", "c"], []], 9) == ["a", "c", "b"]


def test_the_order_by_hash_is_fixed_and_not_that_of_the_names() -> None:
    names = [f"clip{number}" for number in range(50)]
    assert by_hash(names) == by_hash(reversed(names))
    assert by_hash(names) != names
    assert sorted(by_hash(names)) == sorted(names)


def test_places_that_a_part_cannot_fill_go_to_the_others() -> None:
    assert fair_shares([10, 10], 6) == [3, 3]
    assert fair_shares([1, 10, 10], 9) == [1, 4, 4]
    assert fair_shares([2, 1], 9) == [2, 1]
    assert fair_shares([], 4) == []
