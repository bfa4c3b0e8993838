from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.table import TableReader
from tests.data_manifests.clip_tables import write_clips


def test_a_class_file_fixes_ids_and_rejects_names_it_lacks(tmp_path: Path) -> None:
    nouns = tmp_path / "nouns.txt"
    nouns.write_text("ladle\n\n bowl \n")
    file = write_clips(tmp_path / "clips.csv", [{"video": "a.mp4", "noun": "bowl"}, {"video": "a.mp4", "noun": "cup"}])
    rows = TableReader([(file, "val")], class_files={"noun": nouns}).read("val")
    (clip,), (reject,) = rows.clips.to_pylist(), rows.rejects.to_pylist()
    assert clip["noun_class"] == 1
    assert (reject["row"], reject["reason"]) == (3, "unknown_class")
    assert reject["detail"] == "noun 'cup' is not in nouns.txt"
    reader = TableReader([(file, "val")], class_files={"noun": nouns})
    assert reader.classes()["noun"].column("name").to_pylist() == ["ladle", "bowl"]
    assert reader.files("val") == [file, nouns]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a\nb\na\n", "class 'a' appears twice; expected one class name a line, each once."),
        (b"\n \n", "no class name in it; expected one class name a line, each once."),
        (None, "no such class file; expected one class name a line."),
        (b"\xff\n", "not a text file in UTF-8 ("),
    ],
)
def test_a_bad_class_file_is_refused(tmp_path: Path, content: bytes | None, what: str) -> None:
    verbs = tmp_path / "verbs.txt"
    if content is not None:
        verbs.write_bytes(content)
    file = write_clips(tmp_path / "clips.csv", [{"video": "a.mp4"}])
    with pytest.raises(InputError) as error:
        TableReader([(file, "val")], class_files={"verb": verbs}).classes()
    assert str(error.value).startswith(f"{verbs}: {what}")


def test_a_split_comes_from_the_file_or_from_the_column(tmp_path: Path) -> None:
    one = write_clips(tmp_path / "one.csv", [{"video": "a.mp4", "noun": "z"}], ["video", "noun"])
    two = write_clips(tmp_path / "two.csv", [{"video": "b.mp4", "noun": "y", "split": "Test"}])
    reader = TableReader([(one, "train"), (two, None)])
    assert reader.splits() == ["train", "test"]
    assert reader.classes()["noun"].column("name").to_pylist() == ["y", "z"]
    with pytest.raises(InputError) as error:
        reader.read("val")
    assert str(error.value) == "no row of split val; the tables have train, test."


def test_a_column_that_contradicts_the_given_split_is_refused(tmp_path: Path) -> None:
    rows = [{"video": "a.mp4", "split": "validation"}, {"video": "c.mp4"}, {"video": "b.mp4", "split": "train"}]
    file = write_clips(tmp_path / "clips.csv", rows)
    with pytest.raises(InputError) as error:
        TableReader([(file, "val")]).splits()
    assert str(error.value) == (
        f"{file}, row 4: split 'train', but the file was given as val=clips.csv. "
        "Leave the split before '=' out to use the column, or take the column out of the table."
    )
    assert TableReader([(write_clips(file, rows[:2]), "val")]).read("val").clips.num_rows == 2


def test_a_row_without_any_split_says_the_ways_out(tmp_path: Path) -> None:
    file = write_clips(tmp_path / "clips.csv", [{"video": "a.mp4", "split": "val"}, {"video": "a.mp4"}])
    with pytest.raises(InputError) as error:
        TableReader([(file, None)]).splits()
    assert str(error.value) == (
        f"{file}, row 3: no split. Add a column split (train, val or test), map one with "
        "--column split=NAME, say it for the whole file: train=clips.csv, or hold out recordings: --holdout 20%."
    )
