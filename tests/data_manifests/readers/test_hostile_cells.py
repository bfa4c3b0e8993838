"""Cells that a fuzz of the readers found to end in a traceback."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from data_manifests.readers.table_files import open_table
from data_manifests.redactions import read_redactions
from tests.data_manifests.ego4d_files import write_json
from tests.data_manifests.epic_files import row, write_epic


@pytest.mark.parametrize("cell", ["9" * 5000, "9" * 30, "1" + "0" * 19])
def test_a_class_of_thousands_of_digits_rejects_its_row(tmp_path: Path, cell: str) -> None:
    rows = [row("P90_01_0"), row("P90_01_1", noun_class=cell), row("P90_01_2"), row("P90_01_3")]
    found = EpicReader(write_epic(tmp_path, {"val": rows})).read("val")
    assert (found.clips.num_rows, found.rejects.column("reason").to_pylist()) == (3, ["unknown_class"])


def test_half_a_character_in_a_class_list_of_epic_is_refused(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, nouns=[("ladle", "['ladle', '\\ud800']")])
    with pytest.raises(InputError, match=r"noun_classes.csv, line 2: id '0' with instances"):
        EpicReader(folder).classes()


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_half_a_character_in_a_list_of_nouns_rejects_its_row(tmp_path: Path, name: str) -> None:
    comma = "," if name == "t.csv" else "\t"
    lines = [["video", "all_nouns"], ["a.mp4", "['cup']"], ["b.mp4", "['\\ud800']"]]
    (tmp_path / name).write_text("".join(comma.join(line) + "\n" for line in lines))
    found = TableReader([(tmp_path / name, "val")]).read("val")
    assert found.clips.column("video_id").to_pylist() == ["a.mp4"]
    assert found.rejects.column("reason").to_pylist() == ["unknown_class"]


def test_text_in_parquet_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xaf")])
    pq.write_table(pa.table({"video": wrong}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t.parquet: not a Parquet file \('utf-8' codec"):
        open_table(tmp_path / "t.parquet")


def test_a_time_of_ego4d_that_no_float_holds_is_refused(tmp_path: Path) -> None:
    interval = {"start_sec": 10**400, "end_sec": 2}
    file = write_json(tmp_path / "ego4d.json", {"videos": [{"video_uid": "a", "redacted_intervals": [interval]}]})
    with pytest.raises(InputError, match="expected the metadata of Ego4D"):
        read_redactions(file)
