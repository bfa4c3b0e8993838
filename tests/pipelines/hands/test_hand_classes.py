from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.hands.hand_classes import class_side, hand_classes

FILE = Path("w.pt")
EGOHANDS = ("myleft", "myright", "yourleft", "yourright")


def test_left_and_right_alone_are_hands_and_their_sides_are_kept() -> None:
    assert hand_classes(FILE, ("left", "right"), None) == {0: "left", 1: "right"}
    assert hand_classes(FILE, ("Right", "L"), None) == {0: "right", 1: "left"}


@pytest.mark.parametrize("names", [("left", "right", "cup"), ("left", "left"), ("left",), ("left lane", "right lane")])
def test_left_and_right_beside_other_classes_are_no_hands_by_themselves(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="none of its classes is named hand"):
        hand_classes(FILE, names, None)


def test_classes_that_are_hands_by_another_name_are_named_with_an_option_that_exists() -> None:
    with pytest.raises(InputError) as error:
        hand_classes(FILE, EGOHANDS, None)
    assert str(error.value) == (
        "w.pt: none of its classes is named hand: 0 myleft, 1 myright, 2 yourleft, 3 yourright. Say which are hands "
        "with --hand-class of xmic detect-hands or xmic hands test, with commas or repeated: --hand-class "
        "myleft,myright,yourleft,yourright"
    )
    (said,) = re.findall(r"--hand-class (\S+)$", str(error.value))
    assert hand_classes(FILE, EGOHANDS, (said,)) == {0: "left", 1: "right", 2: "left", 3: "right"}


@pytest.mark.parametrize(
    "given",
    ["myleft,yourright", "myleft, 3", ("myleft", "yourright"), ["YOURRIGHT", "0"], ("myleft,yourright", "myleft")],
)
def test_several_classes_are_named_by_commas_or_one_by_one(given: str | list[str] | tuple[str, ...]) -> None:
    assert list(hand_classes(FILE, EGOHANDS, given).items()) == [(0, "left"), (3, "right")]


def test_a_name_with_a_comma_is_one_name_and_a_name_is_taken_as_it_is_written_first() -> None:
    names = ("hand, bare", "hand", "Hand", "bare")
    assert hand_classes(FILE, names, "hand, bare") == {0: None}
    assert hand_classes(FILE, names, "Hand") == {2: None}
    assert hand_classes(FILE, names, "HAND") == {1: None, 2: None}


def test_one_wrong_name_of_several_is_refused() -> None:
    with pytest.raises(InputError, match=r"w\.pt: has no class 'mine'\. Its classes are: 0 myleft, 1 myright"):
        hand_classes(FILE, EGOHANDS, "myleft,mine")


def test_a_name_gives_a_side_or_none() -> None:
    assert [class_side(name) for name in (*EGOHANDS, "hand", "left-right")] == ["left", "right"] * 2 + [None, None]
