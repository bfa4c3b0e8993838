from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError, UsageError
from data_manifests.readers import VideoFacts
from data_manifests.readers.table import COLUMNS, TableReader, parse_files
from data_manifests.schema import CLASSES, CLIPS, REJECTS, Label
from tests.data_manifests.clip_tables import write_clips

_ROWS: list[dict[str, Any]] = [
    {
        "video": "kitchen/a.mp4",
        "start_s": 1.5,
        "stop_s": 3.25,
        "verb": "stir",
        "noun": "ladle",
        "split": "train",
        "narration": 'stir, then "taste"',
        "clip_id": "one",
        "participant_id": "ann",
    },
    {"video": "kitchen/b ü.mp4", "start_s": None, "stop_s": None, "verb": "fold in", "noun": None, "split": "train"},
    {"video": "kitchen/a.mp4", "start_s": 0.0, "stop_s": 2.0, "verb": None, "noun": "bowl", "split": "validation"},
]


_NO_TIME = "is not a time; expected seconds (62.5), m:ss (1:02.5) or h:mm:ss (0:01:02.5)"


def _read(
    file: Path, columns: Mapping[str, str] | None = None, class_files: Mapping[Label, Path] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows = TableReader([(file, "val")], columns, [file.parent], class_files).read("val")
    assert (rows.clips.schema, rows.rejects.schema) == (CLIPS, REJECTS)
    return rows.clips.to_pylist(), rows.rejects.to_pylist()


def _one(folder: Path, kind: str = ".jsonl", **row: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return _read(write_clips(folder / f"clips{kind}", [{"video": "a.mp4", **row}], list({"video": 0, **row})))


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_clips_and_classes(tmp_path: Path, kind: str) -> None:
    reader = TableReader([(write_clips(tmp_path / f"clips{kind}", _ROWS), None)])
    assert reader.splits() == ["train", "val"]
    train = reader.read("train")
    assert train.rejects.num_rows == 0
    first, second = train.clips.to_pylist()
    assert first == {
        "clip_id": "one",
        "video_id": "kitchen/a.mp4",
        "start_s": 1.5,
        "stop_s": 3.25,
        "start_frame": None,
        "stop_frame": None,
        "noun_class": 1,
        "verb_class": 1,
        "all_noun_classes": [1],
        "noun": "ladle",
        "verb": "stir",
        "narration": 'stir, then "taste"',
        "participant_id": "ann",
        "recording_id": "kitchen/a.mp4",
    }
    assert (second["clip_id"], second["start_s"], second["stop_s"]) == ("kitchen/b ü.mp4@0.000-end", 0.0, None)
    assert (second["noun_class"], second["all_noun_classes"], second["verb_class"]) == (None, None, 0)
    assert reader.read("val").clips.column("noun").to_pylist() == ["bowl"]
    classes = reader.classes()
    assert classes["noun"].schema == CLASSES
    assert classes["noun"].column("name").to_pylist() == ["bowl", "ladle"]
    assert classes["verb"].to_pylist() == [
        {"class_id": 0, "key": "fold in", "name": "fold in", "fixed": "fold in", "synonyms": ["fold in"]},
        {"class_id": 1, "key": "stir", "name": "stir", "fixed": "stir", "synonyms": ["stir"]},
    ]


def test_columns_with_other_names_are_mapped_and_the_rest_ignored(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("path,from,to,split,colour\na.mp4,1,2,ignored?,red\n")
    mapping = {"video": "path", "start_s": "from", "stop_s": "to", "split": "colour"}
    with pytest.raises(InputError, match=r"row 2: split 'red': expected train"):
        TableReader([(file, None)], mapping).splits()
    file.write_text("path,from,to\na.mp4,1,2\n")
    (clip,), rejects = _read(file, {"video": "path", "start_s": "from", "stop_s": "to"})
    assert (clip["video_id"], clip["start_s"], clip["stop_s"], rejects) == ("a.mp4", 1.0, 2.0, [])


def test_a_spreadsheets_byte_order_mark_and_crlf_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_bytes("video,noun\r\na.mp4,Löffel\r\n".encode("utf-8-sig"))
    (clip,), _ = _read(file)
    assert (clip["video_id"], clip["noun"]) == ("a.mp4", "Löffel")
    other = tmp_path / "clips.jsonl"
    other.write_bytes('{"video": "a.mp4", "narration": "one\u2028line"}\r\n\r\n'.encode("utf-8-sig"))
    (clip,), _ = _read(other)
    assert clip["narration"] == "one\u2028line"


@pytest.mark.parametrize(("kind", "value"), [(".jsonl", math.nan), (".jsonl", None), (".csv", None), (".csv", "  ")])
def test_an_empty_or_nan_time_is_the_start_or_the_end(tmp_path: Path, kind: str, value: Any) -> None:
    (clip,), rejects = _one(tmp_path, kind, start_s=value, stop_s=value, noun=value)
    assert (clip["start_s"], clip["stop_s"], clip["noun"], rejects) == (0.0, None, None, [])


@pytest.mark.parametrize(
    ("times", "reason", "detail"),
    [
        ({"start_s": "soon"}, "bad_time", f"start_s 'soon' {_NO_TIME}"),
        ({"stop_s": "1:90"}, "bad_time", f"stop_s '1:90' {_NO_TIME}"),
        (
            {"stop_s": "30f"},
            "bad_time",
            "stop_s '30f' is a frame number, and the frame rate is not known; give it with --fps",
        ),
        ({"stop_s": "inf"}, "bad_time", f"stop_s 'inf' {_NO_TIME}"),
        ({"start_s": "nan"}, "bad_time", f"start_s 'nan' {_NO_TIME}"),
        ({"start_s": -0.5, "stop_s": 1}, "bad_time", "start_s -0.5 is before the start of the video"),
        ({"start_s": 2, "stop_s": 2}, "not_positive_duration", "starts at 2.0 s, stops at 2.0 s"),
        ({"stop_s": 0}, "not_positive_duration", "starts at 0.0 s, stops at 0.0 s"),
        ({"video": " "}, "missing_value", "the cell of column video is empty"),
    ],
)
@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
def test_every_bad_row_is_rejected_with_its_reason(
    tmp_path: Path, times: dict[str, Any], reason: str, detail: str, kind: str
) -> None:
    clips, (reject,) = _one(tmp_path, kind, **times)
    assert clips == []
    assert (reject["reason"], reject["detail"]) == (reason, detail)
    assert reject["row"] == (1 if kind == ".jsonl" else 2)
    assert reject["clip_id"] is None


def test_a_given_clip_id_counts_once_in_a_split(tmp_path: Path) -> None:
    rows = [
        {"video": "a.mp4", "clip_id": "x", "split": "train"},
        {"video": "b.mp4", "clip_id": "x", "split": "val"},
        {"video": "c.mp4", "clip_id": "x", "split": "val"},
    ]
    reader = TableReader([(write_clips(tmp_path / "clips.csv", rows), None)])
    assert reader.read("train").clips.column("video_id").to_pylist() == ["a.mp4"]
    val = reader.read("val")
    assert val.clips.column("video_id").to_pylist() == ["b.mp4"]
    (reject,) = val.rejects.to_pylist()
    assert (reject["row"], reject["reason"]) == (4, "duplicate_id")
    assert reject["detail"] == "clip_id 'x' is in an earlier row"


_TIMES = st.integers(0, 3)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["a.mp4", "b.mp4", "../c.mp4"]), _TIMES), max_size=12),
    more=st.lists(st.tuples(st.sampled_from(["a.mp4", "b.mp4"]), _TIMES), max_size=6),
)
def test_made_ids_are_unique_and_rows_added_at_the_end_change_none(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], more: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("ids")
    made = [
        [{"video": video, "start_s": start, "stop_s": 5, "noun": f"n{n}"} for n, (video, start) in enumerate(part)]
        for part in (rows, rows + more)
    ]
    ids = [[clip["clip_id"] for clip in _read(write_clips(folder / "x.csv", part))[0]] for part in made if part]
    for names in ids:
        assert len(set(names)) == len(names)
    if rows and more:
        assert ids[1][: len(ids[0])] == ids[0]
        assert len(ids[1]) == len(ids[0]) + len(more)


def test_made_ids_say_video_and_times_and_count_repeats(tmp_path: Path) -> None:
    clips, _ = _read(
        write_clips(tmp_path / "x.csv", [{"video": "a.mp4", "start_s": 1, "stop_s": 2.5, "noun": n} for n in "xy"])
    )
    assert [clip["clip_id"] for clip in clips] == ["a.mp4@1.000-2.500", "a.mp4@1.000-2.500#2"]


def test_rows_without_labels_are_clips(tmp_path: Path) -> None:
    file = write_clips(tmp_path / "clips.csv", [{"video": "a.mp4"}], ["video"])
    (clip,), rejects = _read(file)
    assert (clip["noun_class"], clip["verb_class"], clip["all_noun_classes"], rejects) == (None, None, None, [])
    assert {label: table.num_rows for label, table in TableReader([(file, "val")]).classes().items()} == {
        "noun": 0,
        "verb": 0,
    }


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("x.csv", b"path,noun\na.mp4,b\n", "no column video; found path, noun. Map a column with --column OURS=THEIRS"),
        ("x.csv", b"", "no column video; found none. Map a column"),
        ("x.csv", b"video\n", "no row in it."),
        ("x.csv", b"video\n\xff\n", "not a text file in UTF-8 ("),
        ("x.csv", b"video\n" + b"a" * 140_000, "line 2: not a row of a table (field larger than field limit"),
        ("x.jsonl", b'{"video": "a"}\n\n{video}\n', "line 3: not JSON ("),
        ("x.jsonl", b'["a.mp4"]\n', "line 1: found list, expected one JSON object a line."),
        ("x.parquet", b"PAR1", "not a Parquet file ("),
        ("x.xlsx", b"PK", "tables end in .csv, .tsv, .parquet or .jsonl, not .xlsx."),
        ("x", b"", "tables end in .csv, .tsv, .parquet or .jsonl, not nothing."),
        ("x.csv", None, "no such file; expected a table of clips (.csv, .tsv, .parquet or .jsonl)."),
    ],
)
def test_a_file_that_is_no_table_of_clips_is_refused(
    tmp_path: Path, name: str, content: bytes | None, what: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as error:
        TableReader([(file, "val")]).read("val")
    text = str(error.value)
    assert text.startswith(str(file))
    assert text.removeprefix(str(file)).lstrip(":, ").startswith(what)


def test_a_mapped_column_must_be_there(tmp_path: Path) -> None:
    file = write_clips(tmp_path / "clips.csv", [{"video": "a.mp4"}], ["video"])
    with pytest.raises(InputError) as error:
        TableReader([(file, "val")], {"noun": "object"}).read("val")
    assert str(error.value) == (
        f"{file}: no column object; found video. Map a column with --column OURS=THEIRS, "
        "for instance --column video=path."
    )
    with pytest.raises(UsageError) as usage:
        TableReader([(file, "val")], {"object": "noun"})
    assert str(usage.value) == f"--column object=…: no such column; the columns are {', '.join(COLUMNS)}."


def test_options_that_change_the_rows_are_parameters(tmp_path: Path) -> None:
    reader = TableReader([(tmp_path / "a.csv", "val"), (tmp_path / "b.csv", None)], {"video": "path"})
    assert reader.parameters["reader"] == "table"
    assert reader.parameters["columns"]["video"] == "path"
    assert reader.parameters["splits"] == ["val", None]
    assert str(tmp_path) not in json.dumps(reader.parameters)
    assert reader.video_facts("a.mp4") == VideoFacts()


def test_files_are_parsed_or_refused_in_words() -> None:
    assert parse_files(["a.csv", "validation=b=c.csv"]) == [(Path("a.csv"), None), (Path("b=c.csv"), "val")]
    with pytest.raises(UsageError, match=r"^split 'a': expected train, val \(or validation\) or test$"):
        parse_files(["a=b.csv"])


def _findings(file: Path) -> list[str]:
    return list(TableReader([(file, "val")]).read("val").findings)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (".csv", "pan;lid; lid"),
        (".csv", "['pan', \"lid\"]"),
        (".tsv", "pan ;lid"),
        (".jsonl", ["pan", "lid"]),
        (".parquet", ["pan", "lid", None]),
    ],
)
def test_several_nouns_of_a_clip_are_kept_and_the_first_is_its_noun(tmp_path: Path, kind: str, cell: Any) -> None:
    (clip,), _ = _one(tmp_path, kind, all_nouns=cell)
    assert (clip["noun"], clip["noun_class"], clip["all_noun_classes"]) == ("pan", 1, [1, 0])


def test_the_column_noun_leads_the_nouns_of_a_clip(tmp_path: Path) -> None:
    (clip,), _ = _one(tmp_path, noun="lid", all_nouns=["pan", "lid"])
    assert (clip["noun"], clip["noun_class"], clip["all_noun_classes"]) == ("lid", 0, [0, 1])


def test_a_list_of_nouns_that_is_none_is_rejected_and_never_evaluated(tmp_path: Path) -> None:
    marker = tmp_path / "run"
    _, (reject,) = _one(tmp_path, ".csv", all_nouns=f"[open({str(marker)!r}, 'w')]")
    assert reject["reason"] == "unknown_class"
    assert reject["detail"].endswith("is not a list of names")
    assert not marker.exists()


@pytest.mark.parametrize("cell", ["=cmd()", "<b>bread</b>", "[red]bread[/red]", "+1", "{{ 7 * 7 }}"])
def test_a_cell_is_a_name_whatever_it_looks_like(tmp_path: Path, cell: str) -> None:
    (clip,), _ = _one(tmp_path, ".csv", noun=cell)
    assert clip["noun"] == cell


def test_a_row_that_stands_twice_is_rejected_with_the_row_it_repeats(tmp_path: Path) -> None:
    row = {"video": "a.mp4", "start_s": 1, "stop_s": 2, "noun": "cup"}
    clips, (reject,) = _read(write_clips(tmp_path / "x.csv", [row, {**row, "noun": "pan"}, row]))
    assert len(clips) == 2
    assert (reject["row"], reject["reason"]) == (4, "duplicate_row")
    assert reject["detail"] == "the same clip and labels as row 2 of x.csv"


def test_equal_intervals_with_other_labels_and_equal_rows_with_own_ids_are_kept_and_counted(tmp_path: Path) -> None:
    row = {"video": "a.mp4", "start_s": 1, "stop_s": 2, "noun": "cup"}
    rows = [{**row, "clip_id": "one"}, {**row, "clip_id": "two"}, {**row, "noun": "pan", "clip_id": "three"}]
    file = write_clips(tmp_path / "x.csv", rows)
    assert len(_read(file)[0]) == 3
    assert _findings(file) == [
        "1 rows say the same as an earlier one under a clip_id of their own; they are kept",
        "1 rows have the interval of an earlier one and other labels; they are kept",
    ]


def test_names_that_differ_only_in_how_they_are_written_are_found(tmp_path: Path) -> None:
    names = ["cutting board", "Cutting_board", "cup", "cutting  board", "cutting board"]
    file = write_clips(tmp_path / "x.csv", [{"video": f"{n}.mp4", "noun": name} for n, name in enumerate(names)])
    assert _findings(file) == [
        "nouns 'Cutting_board' (row 3 of x.csv) and 'cutting  board' (row 5 of x.csv) and 'cutting board' "
        "(2 rows, the first is row 2 of x.csv) are 3 classes; if they are one, mend the table or give --nouns FILE"
    ]


def test_a_name_that_a_class_file_writes_otherwise_says_what_was_meant(tmp_path: Path) -> None:
    nouns = tmp_path / "nouns.txt"
    nouns.write_text("cutting board\n")
    file = write_clips(tmp_path / "x.csv", [{"video": "a.mp4", "noun": "Cutting-Board"}])
    _, (reject,) = _read(file, class_files={"noun": nouns})
    assert reject["detail"] == "noun 'Cutting-Board' is not in nouns.txt; did you mean 'cutting board'?"
    assert not TableReader([(file, "val")], class_files={"noun": nouns}).read("val").findings


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_clips_of_numbered_jpegs_carry_their_numbers(tmp_path: Path, kind: str) -> None:
    rows = [{"video": "frames/a", "start_frame": 12, "stop_frame": 40.0}, {"video": "b.mp4"}]
    clips, rejects = _read(write_clips(tmp_path / f"x{kind}", rows, ["video", "start_frame", "stop_frame"]))
    assert not rejects
    assert [(c["clip_id"], c["start_s"], c["stop_s"], c["start_frame"], c["stop_frame"]) for c in clips] == [
        ("frames/a@f12-40", 0.0, None, 12, 40),
        ("b.mp4@0.000-end", 0.0, None, None, None),
    ]


@pytest.mark.parametrize(
    ("frames", "reason", "detail"),
    [
        ({"start_frame": "x", "stop_frame": 5}, "bad_time", "start_frame 'x' is not a frame number"),
        ({"start_frame": 1, "stop_frame": 5.5}, "bad_time", "stop_frame '5.5' is not a frame number"),
        ({"start_frame": -1, "stop_frame": 5}, "bad_time", "start_frame '-1' is not a frame number"),
        ({"start_frame": 1}, "bad_time", "start_frame 1 and stop_frame None: expected both or neither"),
        ({"start_frame": 9, "stop_frame": 5}, "not_positive_duration", "starts at frame 9, stops at frame 5"),
    ],
)
def test_frame_numbers_that_are_none_are_rejected(tmp_path: Path, frames: dict, reason: str, detail: str) -> None:
    _, (reject,) = _one(tmp_path, **frames)
    assert (reject["reason"], reject["detail"]) == (reason, detail)


def test_a_recording_of_several_videos_is_kept(tmp_path: Path) -> None:
    (clip,), _ = _one(tmp_path, recording_id="monday")
    assert clip["recording_id"] == "monday"


def test_frames_of_a_video_file_are_times_where_the_rate_is_known(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("video,start_frame,stop_frame,start_s\na.mp4,30,59,\nb.mp4,,,60f\n")
    found = TableReader([(file, "val")], fps=30).read("val")
    places = [(clip["start_s"], clip["stop_s"], clip["start_frame"]) for clip in found.clips.to_pylist()]
    assert places == [(1.0, 2.0, None), (2.0, None, None)]
    assert found.findings == []
    assert TableReader([(file, "val")], fps=30).parameters["fps"] == 30


def test_frames_of_a_video_file_without_the_rate_are_spoken_of(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("video,start_frame,stop_frame\na.mp4,30,59\njpegs,1,9\n")
    (said,) = TableReader([(file, "val")]).read("val").findings
    assert said.startswith("1 rows have start_frame and a video file; without its frame rate (--fps RATE)")
