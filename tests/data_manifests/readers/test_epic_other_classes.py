from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.epic import EpicReader
from tests.data_manifests.epic_files import NOUNS, VERBS, row, write_classes, write_epic

_ROWS = [row(f"P90_01_{number}", noun=NOUNS[number % 3][0], noun_class=str(number % 3)) for number in range(40)]


def _refusal(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        EpicReader(folder).read("val")
    return str(error.value)


def test_a_class_file_that_was_cut_off_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": _ROWS}, NOUNS[:2])
    assert _refusal(folder) == (
        f"{folder / 'EPIC_100_noun_classes.csv'}: 2 classes, but 13 rows of EPIC_100_validation.csv have others, the "
        "first is line 4: noun_class 2, expected 0 to 1. The class file is cut off or of something else; take both "
        "files from epic-kitchens-100-annotations."
    )


def test_nouns_in_place_of_verbs_are_refused_by_the_words_of_the_rows(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": _ROWS})
    assert EpicReader(folder).read("val").clips.num_rows == 40
    write_classes(folder / "EPIC_100_verb_classes.csv", NOUNS)
    assert _refusal(folder) == (
        f"{folder / 'EPIC_100_validation.csv'}, line 2: verb 'stir' of verb_class 0, expected \"cook's ladle\", "
        "'ladle', 'soup ladle', the words of that class in EPIC_100_verb_classes.csv; so in 40 rows. The class "
        "file is another one; take both from epic-kitchens-100-annotations."
    )


def test_a_few_odd_rows_are_no_other_class_file(tmp_path: Path) -> None:
    rows = [*_ROWS, *(row(f"P90_02_{number}", verb="scrape", verb_class="1") for number in range(5))]
    folder = write_epic(tmp_path, {"val": [*rows, *(row(f"P90_03_{n}", verb_class="2") for n in range(5))]})
    read = EpicReader(folder).read("val")
    assert (read.clips.num_rows, read.rejects.num_rows) == (45, 5)


def test_a_word_of_a_class_may_be_any_of_its_instances(tmp_path: Path) -> None:
    words = ("ladle", "ladle:soup", "cook's ladle")
    folder = write_epic(
        tmp_path, {"val": [row(f"P90_01_{n}", noun=words[n % 3], verb="stir-around") for n in range(30)]}, NOUNS, VERBS
    )
    assert EpicReader(folder).read("val").clips.num_rows == 30
