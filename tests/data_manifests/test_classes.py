from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_manifests.classes import class_row, ego4d_name, ego4d_synonyms, egtea_name, epic_name

_REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"


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


@pytest.mark.parametrize(
    ("key", "name", "synonyms"),
    [
        ("anchor", "anchor", ["anchor"]),
        ("rope_ladder", "rope ladder", ["rope ladder"]),
        ("kettle_(teapot,_kettle)", "kettle", ["kettle", "teapot"]),
        ("lift_up_(raise,_hoist_up)", "lift up", ["lift up", "raise", "hoist up"]),
    ],
)
def test_an_ego4d_name_is_the_head_and_its_synonyms_stand_in_parentheses(
    key: str, name: str, synonyms: list[str]
) -> None:
    assert ego4d_name(key) == name
    assert class_row(0, key, name, more=ego4d_synonyms(key))["synonyms"] == synonyms


@pytest.mark.parametrize(
    ("key", "synonyms"),
    [
        ("bolt_(tool)", ["bolt"]),
        ("cake_(food)", ["cake"]),
        ("saw_(with_tool)", ["saw"]),
        ("winch_(tool)_(winch,_hoist)", ["winch", "winch", "hoist"]),
        ("cook_(food,_meal)", ["cook", "food", "meal"]),
    ],
)
def test_a_qualifier_alone_in_its_parentheses_is_no_synonym(key: str, synonyms: list[str]) -> None:
    assert ego4d_synonyms(key) == synonyms


def test_hyphens_and_slashes_stay_in_a_synonym() -> None:
    assert ego4d_synonyms("tune_(raise/lower,_plug-in)") == ["tune", "raise/lower", "plug-in"]


@pytest.mark.parametrize(
    ("key", "name", "head"),
    [
        ("nut_(tool)", "nut tool", "nut"),
        ("chip_(wood,_metal)", "chip metal", "chip"),
        ("bat_(tool)", "bat tool", "bat"),
        ("bat_(sports)", "bat sports", "bat"),
        ("pot_(planter)", "planter", "pot"),
    ],
)
def test_heads_that_collide_have_names_of_their_own_and_no_synonym_but_the_head(key: str, name: str, head: str) -> None:
    assert ego4d_name(key) == name
    assert ego4d_synonyms(key) == [head]


def test_the_corrupt_entry_of_the_ego4d_taxonomy_is_chip_wood() -> None:
    assert ego4d_name("chip_(wood'_metal),") == "chip wood"
    assert ego4d_synonyms("chip_(wood'_metal),") == ["chip"]


@pytest.mark.parametrize(("label", "count"), [("nouns", 521), ("verbs", 117)])
@pytest.mark.skipif(not (_REAL / "ego4d").is_dir(), reason="the official annotation files are not here")
def test_the_official_ego4d_taxonomy_gives_unique_names(label: str, count: int) -> None:
    keys = json.loads((_REAL / "ego4d" / "fho_lta_taxonomy.json").read_text())[label]
    assert len(keys) == len({ego4d_name(key) for key in keys}) == count


@pytest.mark.parametrize(
    ("key", "name"), [("Lift/Carry Off", "Lift Carry Off"), ("bread_board", "bread board"), ("Stir", "Stir"), ("", "")]
)
def test_egtea_names_lose_slashes_and_underscores_and_keep_capitals(key: str, name: str) -> None:
    assert egtea_name(key) == name
