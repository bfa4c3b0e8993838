"""One value is one class in every split, whatever program wrote its cell, or its row is refused with the reason."""

from __future__ import annotations

import datetime
import json
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError
from data_manifests.readers.table import TableReader
from data_manifests.readers.table_cells import MISSING_WORDS
from data_manifests.schema import Label


def _csv(file: Path, nouns: list[str]) -> Path:
    file.write_text("video,noun\n" + "".join(f"{n}.mp4,{noun}\n" for n, noun in enumerate(nouns)))
    return file


def _parquet(file: Path, nouns: Any, column: str = "noun") -> Path:
    pq.write_table(pa.table({"video": [f"{n}.mp4" for n in range(len(nouns))], column: nouns}), file)
    return file


def _json(file: Path, nouns: list[Any]) -> Path:
    file.write_text("".join(json.dumps({"video": f"{n}.mp4", "noun": noun}) + "\n" for n, noun in enumerate(nouns)))
    return file


def _reader(train: Path, val: Path, class_files: dict[Label, Path] | None = None) -> TableReader:
    return TableReader([(train, "train"), (val, "val")], class_files=class_files)


def _classes(reader: TableReader, label: Label = "noun") -> list[str]:
    return list(reader.classes()[label].column("name").to_pylist())


def _nouns(reader: TableReader, split: str) -> list[str | None]:
    return list(reader.read(split).clips.column("noun").to_pylist())


@pytest.mark.parametrize(
    "val",
    [
        lambda file: _csv(file.with_suffix(".csv"), ["3.0", "12.0", ""]),
        lambda file: _json(file.with_suffix(".jsonl"), [3.0, 12, None]),
        lambda file: _json(file.with_suffix(".jsonl"), ["3", " 12.00 ", math.nan]),
        lambda file: _parquet(file.with_suffix(".parquet"), pa.array([3, 12, None], pa.float64())),
        lambda file: _parquet(file.with_suffix(".parquet"), pa.array([3, 12, math.nan], pa.float32())),
        lambda file: _parquet(file.with_suffix(".parquet"), pa.array([3, 12, None], pa.int8())),
        lambda file: _parquet(file.with_suffix(".parquet"), pa.array([b"3", b"12", None], pa.binary())),
        lambda file: _parquet(file.with_suffix(".parquet"), pa.array([Decimal(3), Decimal(12), None])),
        lambda file: _parquet(file.with_suffix(".parquet"), pa.array(["3", "12", None]).dictionary_encode()),
        lambda file: _parquet(
            file.with_suffix(".parquet"), pa.array([[3], [12], None], pa.list_(pa.int64())), "all_nouns"
        ),
    ],
)
def test_a_whole_number_is_one_class_in_every_split(tmp_path: Path, val: Any) -> None:
    train = _parquet(tmp_path / "train.parquet", pa.array([3, 12, 3], pa.int64()))
    reader = _reader(train, val(tmp_path / "val"))
    assert _classes(reader) == ["12", "3"]
    assert _nouns(reader, "val") == ["3", "12", None]


def test_a_class_file_may_have_the_numbers_as_floats_but_no_class_twice(tmp_path: Path) -> None:
    listed = tmp_path / "nouns.txt"
    listed.write_text("3.0\n12.0\n")
    table = _csv(tmp_path / "train.csv", ["3", "12.0"])
    reader = TableReader([(table, "train")], class_files={"noun": listed})
    assert _classes(reader) == ["3", "12"]
    assert reader.read("train").rejects.num_rows == 0
    listed.write_text("3.0\n3\n")
    with pytest.raises(InputError, match=r"nouns\.txt: 3 and 3\.0 are one class"):
        TableReader([(table, "train")], class_files={"noun": listed}).classes()


@pytest.mark.parametrize("word", sorted(MISSING_WORDS))
def test_every_spelling_of_a_missing_value_is_no_label_and_is_reported(tmp_path: Path, word: str) -> None:
    reader = _reader(_csv(tmp_path / "a.csv", ["pan", word]), _parquet(tmp_path / "b.parquet", ["pan", None]))
    assert _classes(reader) == ["pan"]
    assert _nouns(reader, "train") == _nouns(reader, "val") == ["pan", None]
    said = [sentence for sentence in reader.read("train").findings if repr(word) in sentence]
    assert said == [
        f"noun {word!r} (row 3 of a.csv) counts as no label, since programs write so what is missing; "
        "if it is a class, list it in --nouns FILE"
    ]


def test_a_class_list_decides_that_such_a_word_is_a_class(tmp_path: Path) -> None:
    listed = tmp_path / "nouns.txt"
    listed.write_text("pan\nnull\n")
    reader = TableReader([(_csv(tmp_path / "a.csv", ["pan", "null", "NaN"]), "val")], class_files={"noun": listed})
    assert _classes(reader) == ["pan", "null"]
    assert _nouns(reader, "val") == ["pan", "null", None]
    assert [sentence.split(" counts")[0] for sentence in reader.read("val").findings] == ["noun 'NaN' (row 4 of a.csv)"]


def test_a_word_that_only_looks_missing_is_a_class_and_is_reported(tmp_path: Path) -> None:
    reader = _reader(_csv(tmp_path / "a.csv", ["pan", "none"]), _csv(tmp_path / "b.csv", ["none", "pan"]))
    assert _classes(reader) == ["none", "pan"]
    assert reader.read("val").findings == [
        "noun 'none' (2 rows, the first is row 3 of a.csv) is a class; if it says that the label is missing, "
        "empty the cells"
    ]


def test_a_missing_recording_or_id_is_none_and_not_one_that_all_clips_share(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("video,recording_id,participant_id,clip_id,split\na.mp4,nan,NaN,nan,val\nb.mp4,nan,NaN,nan,val\n")
    clips = TableReader([(table, None)]).read("val").clips
    assert clips.column("recording_id").to_pylist() == ["a.mp4", "b.mp4"]
    assert clips.column("participant_id").to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (pa.array([True]), "noun 'True' is a truth value"),
        (pa.array([datetime.date(2020, 3, 1)]), "noun '2020-03-01' is a date or a time of day"),
        (pa.array([datetime.datetime(2020, 3, 1)]), "noun '2020-03-01 00:00:00' is a date or a time of day"),
        (pa.array([datetime.timedelta(seconds=1)]), "noun '0:00:01' is a date or a time of day"),
        (pa.array([["pan"]]), r"noun \"\['pan'\]\" is a list"),
        (pa.array([{"a": 1}]), "is an object with fields"),
        (pa.array([2.5]), "noun 2.5 is a fraction"),
        (pa.array([math.inf]), "noun inf is a fraction"),
        (pa.array([b"\xff"]), r"noun b'\\xff' is bytes that are not UTF-8"),
        (pa.array(["['pan']"]), "is the text of a list; lists go into the column all_nouns"),
        (pa.array(["['pan' 'lid']"]), "is the text of a list; lists go into the column all_nouns"),
        (pa.array(["b'pan'"]), "is how Python prints bytes"),
    ],
)
def test_a_cell_that_is_no_name_is_rejected_with_file_row_column_and_value(
    tmp_path: Path, cells: pa.Array, found: str
) -> None:
    reader = TableReader([(_parquet(tmp_path / "a.parquet", cells), "train")])
    assert _classes(reader) == []
    (reject,) = reader.read("train").rejects.to_pylist()
    assert (reject["file"], reject["row"], reject["reason"]) == ("a.parquet", 1, "bad_cell")
    assert re.search(found, reject["detail"])


def test_a_split_that_is_no_text_is_refused_with_its_row(tmp_path: Path) -> None:
    table = _parquet(tmp_path / "a.parquet", pa.array([True]), "split")
    with pytest.raises(InputError, match=r"a\.parquet, row 1: split 'True' is a truth value; expected a text"):
        TableReader([(table, None)]).splits()


def test_a_repeated_clip_is_found_where_its_times_differ_by_rounding_only(tmp_path: Path) -> None:
    table = tmp_path / "a.jsonl"
    rows = [
        {"video": "a.mp4", "start_s": start, "stop_s": 1.5} for start in (0.3, 0.1 + 0.2, 0.30000001192092896, 0.31)
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rejects = TableReader([(table, "val")]).read("val").rejects.to_pylist()
    assert [(row["row"], row["reason"]) for row in rejects] == [(2, "duplicate_row"), (3, "duplicate_row")]


def test_one_word_in_two_forms_of_unicode_is_reported_with_its_rows(tmp_path: Path) -> None:
    reader = _reader(_csv(tmp_path / "a.csv", ["cr\u00e8me"]), _csv(tmp_path / "b.csv", ["cre\u0300me"]))
    (said,) = reader.read("val").findings
    assert re.fullmatch(r"nouns '.*' \(row 2 of b.csv\) and '.*' \(row 2 of a.csv\) are 2 classes; .*", said)


def test_a_column_in_another_letter_case_is_named_in_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Video,noun\na.mp4,pan\n")
    with pytest.raises(InputError, match=r"no column video; found Video, noun\. .*for instance --column video=Video\."):
        TableReader([(tmp_path / "a.csv", "train")]).splits()
