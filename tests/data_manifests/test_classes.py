from __future__ import annotations

import pytest

from data_manifests.classes import epic_name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ladle", "ladle"),
        ("board:bread", "bread board"),
        ("fold-in", "fold in"),
        ("board:cut-out", "cut out board"),
    ],
)
def test_parts_are_reversed_at_colons_and_hyphens_become_spaces(key: str, name: str) -> None:
    assert epic_name(key) == name


def test_a_key_of_three_parts_keeps_the_odd_order_of_the_official_code() -> None:
    assert epic_name("machine:sous:vide") == "vide sous machine"


@pytest.mark.parametrize(
    ("key", "name"),
    [("use-to", "use"), ("use to", "use"), ("end-of", "end"), ("bring-into", "bring"), ("use-to-stir", "use to stir")],
)
def test_only_whole_leftover_phrases_are_shortened(key: str, name: str) -> None:
    assert epic_name(key) == name
