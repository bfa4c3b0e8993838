from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from pipelines.predict.words import outside_pocket, pocket_warning, read_words, word_classes
from pocket_kitchens.drawing.domains import EGO4D, EPIC


def test_words_of_a_file_come_first_and_comments_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "nouns.txt"
    file.write_text("# things\ncup\nchopping board\n")
    assert read_words("noun", file, [" kettle "]) == ["cup", "chopping board", "kettle"]
    assert read_words("noun", None, []) is None


def test_a_word_that_stands_twice_or_is_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nouns: 'cup' appears twice; expected different words"):
        read_words("noun", None, ["cup", "cup"])
    with pytest.raises(UsageError, match="verbs: a word is empty"):
        read_words("verb", None, [" "])


def test_words_are_classes_in_their_order() -> None:
    rows = word_classes(["kettle", "cup"]).to_pylist()
    assert [(row["class_id"], row["name"], row["synonyms"]) for row in rows] == [
        (0, "kettle", ["kettle"]),
        (1, "cup", ["cup"]),
    ]


def test_the_packaged_encoder_knows_the_words_of_its_world_and_their_synonyms_and_no_others() -> None:
    assert outside_pocket("noun", [*EPIC.nouns, *EGO4D.nouns, "Mug", "skillet"]) == []
    assert outside_pocket("verb", [*EPIC.verbs, *EGO4D.verbs, "grab"]) == []
    assert outside_pocket("noun", ["cup", "zebra", "grab"]) == ["zebra", "grab"]
    assert outside_pocket("verb", ["cut", "mug"]) == ["mug"]


def test_the_warning_names_some_and_counts_the_rest() -> None:
    assert "the nouns a, b, c, d, e and 2 more: their scores" in pocket_warning("noun", list("abcdefg"))
