from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError
from pipelines.evaluate.given_scores import read_scores

CLASSES = {"noun": ["cup", "bread", "pan"], "verb": ["cut", "wash"]}
KNOWN = {"a", "b", "c"}


def read(*files):
    return read_scores(files, CLASSES, KNOWN, "mine val")


@pytest.fixture
def csv(tmp_path):
    def write(text, name="scores.csv"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


@pytest.fixture
def parquet(tmp_path):
    def write(columns, name="scores.parquet"):
        file = tmp_path / name
        pq.write_table(pa.table(columns), file)
        return file

    return write


def test_columns_by_name_or_id_in_any_order_come_out_in_the_order_of_the_ids(csv):
    found = read(csv("noun:pan,clip_id,noun:0,noun:Bread\n3,b,1,2\n6,a,4,5.5\n"))
    assert found.clip_ids == ["b", "a"]
    assert found.scores["noun"].dtype == np.float32
    assert found.scores["noun"].tolist() == [[1, 2, 3], [4, 5.5, 6]]


def test_blank_lines_at_the_end_are_no_rows(csv):
    assert read(csv("clip_id,verb:0,verb:1\na,1,2\n\n\n")).clip_ids == ["a"]
    with pytest.raises(InputError, match="row 3: found 0 cells; expected 3"):
        read(csv("clip_id,verb:0,verb:1\na,1,2\n\nb,1,2\n"))


def test_lists_and_wide_columns_of_parquet_are_the_same(parquet):
    lists = parquet({"clip_id": ["a", "b"], "verb_scores": [[0.1, 0.2], [3.0, 4.0]]})
    wide = parquet({"clip_id": ["a", "b"], "verb:cut": [0.1, 3.0], "verb:wash": [0.2, 4.0]}, "wide.parquet")
    whole = parquet({"clip_id": ["a", "b"], "verb_scores": [[1, 2], [3, 4]]}, "whole.parquet")
    np.testing.assert_array_equal(read(lists).scores["verb"], read(wide).scores["verb"])
    assert read(whole).scores["verb"].tolist() == [[1, 2], [3, 4]]


def test_files_may_hold_a_label_each_or_some_clips_each(csv, parquet):
    nouns = csv("clip_id,noun:0,noun:1,noun:2\na,1,2,3\nb,4,5,6\n")
    first = parquet({"clip_id": ["b"], "verb_scores": [[7.0, 8.0]]}, "first.parquet")
    second = parquet({"clip_id": ["a"], "verb_scores": [[9.0, 0.0]]}, "second.parquet")
    found = read(nouns, first, second)
    assert found.clip_ids == ["a", "b"]
    assert found.scores["verb"].tolist() == [[9, 0], [7, 8]]
    with pytest.raises(InputError, match="'a' has noun scores and no verb scores, 1 such clips; expected both"):
        read(nouns, first)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("noun:0,noun:1\n1,2\n", "no column clip_id; found noun:0, noun:1; expected clip_id, noun_scores"),
        ("clip_id\na\n", "no scores in it"),
        ("clip_id,noun:0,noun:1,noun:2\n", "no row in it"),
        ("clip_id,noun:0,noun:2\na,1,2\n", "no column of 1 of 3 noun classes, the first is noun:1 (bread)"),
        ("clip_id,noun:0,noun:3\na,1,2\n", "found the column noun:3; expected class ids 0 to 2"),
        ("clip_id,noun:fork\na,1\n", "found the column noun:fork; 'fork' is no class"),
        ("clip_id,noun:0,noun:cup\na,1,2\n", "columns noun:0 and noun:cup are both class 0"),
        ("clip_id,noun:0,noun:0\na,1,2\n", "the column 'noun:0' appears 2 times"),
        ("clip_id,action:0\na,1\n", "found the column 'action:0'"),
        ("clip_id,verb:0,verb:1\na,1\n", "row 2: found 2 cells; expected 3"),
        ("clip_id,verb:0,verb:1\na,1,2\nb,1,nan\n", "row 3, column verb:1: found nan; expected a finite number"),
        ("clip_id,verb:0,verb:1\na,1,1e39\n", "row 2, column verb:1: found 1e+39; expected a finite number"),
        (
            'clip_id,verb:0,verb:1\na,1,"0,5"\n',
            "found '0,5'; expected a finite number with a decimal point",
        ),
        ("clip_id,verb:0,verb:1\na,1,\n", "row 2, column verb:1: found ''; expected a finite number"),
        ("clip_id,verb:0,verb:1\n,1,2\n", "row 2, column clip_id: found ''"),
        ("clip_id,verb:0,verb:1\nz,1,2\n", "row 2, column clip_id: found 'z', which is no clip of mine val"),
        ("clip_id,verb:0,verb:1\na,1,2\na,1,2\n", "row 3, column clip_id: 'a' has verb scores already ("),
    ],
)
def test_what_is_wrong_is_named_by_file_row_and_column(csv, text, said):
    file = csv(text)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read(file)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"verb_scores": [[1.0, 2.0], [1.0]]}, "row 2, column verb_scores: found 1 scores; expected 2"),
        ({"verb_scores": [[1.0, 2.0], None]}, "row 2, column verb_scores: found 0 scores; expected 2"),
        ({"verb_scores": [[1.0, None], [1.0, 2.0]]}, "row 1, column verb_scores[1]: found nan"),
        ({"verb_scores": [["x", "y"], ["x", "y"]]}, "column verb_scores: found string; expected numbers"),
        ({"verb_scores": [1.0, 2.0]}, "column verb_scores: found double; expected lists of 2 numbers"),
        ({"verb_scores": [[1.0, 2.0]] * 2, "verb:0": [1, 2], "verb:1": [1, 2]}, "found verb_scores and verb:… columns"),
        ({"scores": [1.0, 2.0]}, "found the column 'scores'"),
    ],
)
def test_of_parquet_too(parquet, columns, said):
    file = parquet({"clip_id": ["a", "b"], **columns})
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read(file)
    assert str(caught.value).startswith(str(file))


def test_other_kinds_of_numbers_and_lists_of_parquet_are_read(tmp_path):
    file = tmp_path / "scores.parquet"
    for kind in (pa.list_(pa.float16(), 2), pa.large_list(pa.float64()), pa.list_(pa.int64())):
        values = np.array([[1, 2], [3, 4]], np.float16) if pa.types.is_fixed_size_list(kind) else [[1, 2], [3, 4]]
        pq.write_table(pa.table({"clip_id": ["a", "b"], "verb_scores": pa.array(list(values), kind)}), file)
        assert read(file).scores["verb"].tolist() == [[1, 2], [3, 4]]
    with pytest.raises(InputError, match="no row in it"):
        pq.write_table(pq.read_table(file).slice(0, 0), file)
        read(file)


def test_a_parquet_file_cut_short_or_with_a_column_twice_is_named(tmp_path):
    file = tmp_path / "scores.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["clip_id", "clip_id"]), file)
    with pytest.raises(InputError, match="the column 'clip_id' appears 2 times"):
        read(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match="cannot be read as parquet"):
        read(file)


def test_a_file_that_is_none_of_both_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such file; expected Parquet or CSV"):
        read(tmp_path / "none.csv")
    for name, said in (("x.npy", "ends in '.npy'"), ("x.parquet", "cannot be read as parquet")):
        (tmp_path / name).write_text("x")
        with pytest.raises(InputError, match=said):
            read(tmp_path / name)


def test_a_name_of_two_classes_must_be_given_as_ids(csv):
    file = csv("clip_id,noun:cup\na,1\n")
    with pytest.raises(InputError, match="column noun:cup is the name of the classes 0, 1; expected their ids"):
        read_scores([file], {"noun": ["cup", "Cup"]}, KNOWN, "mine val")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "clip_id;verb:cut;verb:wash\na;0,5;-1e-2\n",
        "clip_id;verb:cut;verb:wash\na;0.5;-0.01\n",
        "sep=;\nclip_id;verb:cut;verb:wash\na;0,5;-0,01\n",
        "clip_id\tverb:cut\tverb:wash\na\t0.5\t-0.01\n",
    ],
)
def test_scores_of_a_spreadsheet_are_read(tmp_path, text, encoding):
    file = tmp_path / "scores.csv"
    file.write_bytes(text.encode(encoding))
    np.testing.assert_allclose(read(file).scores["verb"], [[0.5, -0.01]], rtol=1e-6)


@pytest.mark.parametrize("cell", ["0,5", "1_000", "one"])
def test_what_is_no_number_is_named_as_it_was_written(csv, cell):
    with pytest.raises(InputError, match=f"row 2, column verb:0: found '{cell}'; expected a finite number"):
        read(csv(f'clip_id,verb:0,verb:1\na,"{cell}",1\n'))


@pytest.mark.parametrize("ids", [pa.array([7], pa.int64()), pa.array([7.0]), pa.array([b"7"]), pa.array(["7.0"])])
def test_a_clip_whose_id_is_a_number_is_found_however_it_is_stored(parquet, ids):
    file = parquet({"clip_id": ids, "verb_scores": [[1.0, 2.0]]})
    assert read_scores([file], CLASSES, {"7"}, "mine val").clip_ids == ["7"]
    with pytest.raises(InputError, match=r"row 1, column clip_id: found True; expected the id of a clip, a text"):
        read(parquet({"clip_id": [True], "verb_scores": [[1.0, 2.0]]}))


def test_a_number_that_is_the_id_of_one_class_and_the_name_of_another_is_refused(csv):
    classes = {"verb": ["0", "1", "10", "2"]}
    file = csv("clip_id,verb:0,verb:1,verb:2,verb:3\na,1,2,3,4\n")
    with pytest.raises(InputError, match=r"column verb:2 may be the class of id 2 or class 3, whose name is '2'"):
        read_scores([file], classes, KNOWN, "mine val")
