from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.epic import EpicReader
from data_manifests.schema import CLASSES, CLIPS, REJECTS
from tests.data_manifests.epic_files import (
    COLUMNS,
    FILES,
    NOUNS,
    TIME_COLUMNS,
    row,
    write_classes,
    write_epic,
    write_rows,
)

_REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "epic100"


def _only_clip(folder: Path, split: str = "val") -> dict[str, Any]:
    rows = EpicReader(folder).read(split)
    assert rows.rejects.num_rows == 0
    (clip,) = rows.clips.to_pylist()
    return clip


def _only_reject(folder: Path) -> dict[str, Any]:
    rows = EpicReader(folder).read("val")
    (reject,) = rows.rejects.to_pylist()
    return reject


def test_a_row_becomes_a_clip_with_seconds_and_class_ids(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": [row(start_timestamp="01:02:03.50", stop_timestamp="01:02:04.25")]})
    assert _only_clip(folder) == {
        "clip_id": "P90_01_0",
        "video_id": "P90_01",
        "start_s": 3723.5,
        "stop_s": 3724.25,
        "start_frame": 90,
        "stop_frame": 195,
        "noun_class": 0,
        "verb_class": 0,
        "all_noun_classes": [0],
        "noun": "ladle",
        "verb": "stir",
        "narration": "stir with ladle",
        "participant_id": "P90",
        "recording_id": "P90_01",
    }


def test_class_files_with_crlf_give_clean_keys_and_names(tmp_path: Path) -> None:
    classes = EpicReader(write_epic(tmp_path)).classes()
    assert b"\r\n" in (tmp_path / "EPIC_100_noun_classes.csv").read_bytes()
    assert classes["noun"].schema == CLASSES
    assert classes["noun"].to_pylist() == [
        {
            "class_id": 0,
            "key": "ladle",
            "name": "ladle",
            "fixed": "ladle",
            "synonyms": ["ladle", "soup ladle", "cook's ladle"],
        },
        {
            "class_id": 1,
            "key": "board:bread",
            "name": "bread board",
            "fixed": "bread board",
            "synonyms": ["bread board"],
        },
        {
            "class_id": 2,
            "key": "press:pasta:hand",
            "name": "hand pasta press",
            "fixed": "hand pasta press",
            "synonyms": ["hand pasta press", "press"],
        },
    ]
    assert classes["verb"].column("name").to_pylist() == ["stir", "fold in"]


def test_lists_are_python_literals_and_need_not_be_json(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": [row(all_nouns="['ladle', \"cook's\",]", all_noun_classes="[0, 2,]")]})
    assert _only_clip(folder)["all_noun_classes"] == [0, 2]


@pytest.mark.parametrize(
    "cell",
    [
        "__import__('pathlib').Path('{trap}').mkdir() or [0]",
        "[__import__('pathlib').Path('{trap}').mkdir()]",
        "[" * 400,
        "{[]: 0}",
        "[" + "9" * 5000 + "]",
        "[0\x00]",
        "[True]",
        "[0.0]",
        "['0']",
        "(0,)",
        "[3]",
        "[-1]",
        "",
    ],
)
def test_no_cell_is_executed_and_a_bad_list_rejects_its_row_only(tmp_path: Path, cell: str) -> None:
    trap = tmp_path / "trap"
    cell = cell.replace("{trap}", str(trap))
    folder = write_epic(tmp_path / "csv", {"val": [row("P90_01_0", all_noun_classes=cell), row("P90_01_1")]})
    rows = EpicReader(folder).read("val")
    assert not trap.exists()
    assert rows.clips.column("clip_id").to_pylist() == ["P90_01_1"]
    (reject,) = rows.rejects.to_pylist()
    assert (reject["row"], reject["clip_id"], reject["reason"]) == (2, "P90_01_0", "unknown_class")
    assert reject["detail"] == f"all_noun_classes {cell!r}, expected a list of noun ids"


@pytest.mark.parametrize("cell", ["__import__('pathlib').Path('{trap}').mkdir()", "{[]: 0}", "[1]", "'ladle'", ""])
def test_a_bad_class_list_cell_is_refused_and_never_executed(tmp_path: Path, cell: str) -> None:
    trap = tmp_path / "trap"
    cell = cell.replace("{trap}", str(trap))
    folder = write_epic(tmp_path / "csv", nouns=[NOUNS[0], ("bowl", cell)])
    with pytest.raises(InputError) as error:
        EpicReader(folder).classes()
    assert not trap.exists()
    assert str(error.value) == (
        f"{folder / 'EPIC_100_noun_classes.csv'}, line 3: id '1' with instances {cell[:40]!r}; "
        "expected id 1 (ids count from 0 without a gap) and a list of words."
    )


def test_an_empty_narration_timestamp_is_no_fault(tmp_path: Path) -> None:
    assert _only_clip(write_epic(tmp_path, {"val": [row(narration_timestamp="")]}))["start_s"] == 1.5


def test_labels_come_from_the_class_columns_and_raw_words_are_kept_as_words(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": [row(verb="swirl", noun="ladle:soup", verb_class="1", noun_class="2")]})
    clip = _only_clip(folder)
    assert (clip["verb_class"], clip["noun_class"]) == (1, 2)
    assert (clip["verb"], clip["noun"]) == ("swirl", "ladle:soup")


def test_a_narration_with_commas_and_quotes_is_one_cell(tmp_path: Path) -> None:
    text = 'stir, then "taste"'
    assert _only_clip(write_epic(tmp_path, {"val": [row(narration=text)]}))["narration"] == text


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    ids = [f"P90_01_{n}" for n in (0, 1, 10, 100, 2)]
    folder = write_epic(tmp_path, {"val": [row(name) for name in ids]})
    assert EpicReader(folder).read("val").clips.column("clip_id").to_pylist() == ids


def test_a_reject_carries_file_line_id_reason_and_detail(tmp_path: Path) -> None:
    rows = [row(f"P90_01_{n}") for n in range(10)] + [row("P90_01_10", noun_class="3"), row("P90_01_11")]
    assert _only_reject(write_epic(tmp_path, {"val": rows})) == {
        "file": "EPIC_100_validation.csv",
        "row": 12,
        "clip_id": "P90_01_10",
        "reason": "unknown_class",
        "detail": "noun_class '3', expected 0 to 2",
    }


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"stop_timestamp": "00:00:01.50"}, "not_positive_duration", "starts at 1.5 s, stops at 1.5 s"),
        ({"stop_timestamp": "00:00:01.00"}, "not_positive_duration", "starts at 1.5 s, stops at 1.0 s"),
        ({"start_timestamp": "1.5"}, "bad_time", "'1.5' to '00:00:03.25', expected HH:MM:SS.cc"),
        ({"stop_timestamp": ""}, "bad_time", "'00:00:01.50' to '', expected HH:MM:SS.cc"),
        ({"stop_timestamp": "00:61:00.00"}, "bad_time", "'00:00:01.50' to '00:61:00.00', expected HH:MM:SS.cc"),
        ({"stop_timestamp": "-0:00:03.25"}, "bad_time", "'00:00:01.50' to '-0:00:03.25', expected HH:MM:SS.cc"),
        ({"start_frame": "-3"}, "bad_time", "start_frame '-3' is not a frame number"),
        ({"stop_frame": ""}, "bad_time", "stop_frame '' is not a frame number"),
        ({"stop_frame": "²"}, "bad_time", "stop_frame '²' is not a frame number"),
        ({"stop_frame": "9999999999"}, "bad_time", "stop_frame '9999999999' is not a frame number"),
        ({"verb_class": "2"}, "unknown_class", "verb_class '2', expected 0 to 1"),
        ({"verb_class": "-1"}, "unknown_class", "verb_class '-1', expected 0 to 1"),
        ({"noun_class": ""}, "unknown_class", "noun_class '', expected 0 to 2"),
        ({"noun_class": "¹"}, "unknown_class", "noun_class '¹', expected 0 to 2"),
        ({"narration_id": ""}, "missing_value", "narration_id is empty"),
        ({"video_id": ""}, "unsafe_path", "video_id '' is not of the form P01_01 or P01_101"),
        ({"video_id": "../P90_01"}, "unsafe_path", "video_id '../P90_01' is not of the form P01_01 or P01_101"),
        ({"video_id": "/etc/P90_01"}, "unsafe_path", "video_id '/etc/P90_01' is not of the form P01_01 or P01_101"),
        ({"video_id": "P90_01\n"}, "unsafe_path", "video_id 'P90_01\\n' is not of the form P01_01 or P01_101"),
    ],
)
def test_every_bad_row_is_rejected_with_its_reason(
    tmp_path: Path, changes: dict[str, str], reason: str, detail: str
) -> None:
    reject = _only_reject(write_epic(tmp_path, {"val": [row("P90_01_7") | changes]}))
    assert (reject["reason"], reject["detail"]) == (reason, detail)
    assert reject["clip_id"] == changes.get("narration_id", "P90_01_7")


def test_the_second_row_of_an_id_is_rejected_and_the_first_kept(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": [row(narration="first"), row(narration="second")]})
    rows = EpicReader(folder).read("val")
    assert rows.clips.column("narration").to_pylist() == ["first"]
    (reject,) = rows.rejects.to_pylist()
    assert (reject["row"], reject["reason"]) == (3, "duplicate_id")
    assert reject["detail"] == "narration_id P90_01_0 is on an earlier line"


@pytest.mark.parametrize(
    ("added", "why"),
    [
        ("P90_01_1,P90,P90_01,00:00:05.000,00:00:0", "5 cells, expected 15; the file ends in the middle of this line"),
        ("P90_01_1,P90\n", "2 cells, expected 15; every row needs a cell for each column"),
        ('P90_01_1,P90,"P90_01', r"not a row of a table \(unexpected end of data\): a quote .* or the file is cut off"),
    ],
)
def test_a_file_cut_short_is_refused(tmp_path: Path, added: str, why: str) -> None:
    folder = write_epic(tmp_path)
    with (folder / FILES["val"]).open("a", encoding="utf-8") as file:
        file.write(added)
    with pytest.raises(InputError, match=rf"EPIC_100_validation\.csv, line 3: {why}"):
        EpicReader(folder).read("val")


def test_a_file_cut_off_in_its_last_cell_says_so(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    assert EpicReader(folder).read("val").findings == []
    file = folder / FILES["val"]
    file.write_bytes(file.read_bytes()[:-2])
    rows = EpicReader(folder).read("val")
    assert rows.rejects.column("detail").to_pylist() == ["all_noun_classes '[0', expected a list of noun ids"]
    assert rows.findings == [
        "EPIC_100_validation.csv: its last line has no line end, as the released file has; it may be cut off there"
    ]


def test_test_timestamps_have_no_labels(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"test": [row("P90_101_0")]})
    clip = _only_clip(folder, "test")
    assert (clip["clip_id"], clip["video_id"], clip["stop_s"]) == ("P90_101_0", "P90_101", 3.25)
    unlabelled = ("noun_class", "verb_class", "all_noun_classes", "noun", "verb", "narration")
    assert [clip[name] for name in unlabelled] == [None] * 6


def test_tables_have_the_manifest_schemas_even_without_a_row(tmp_path: Path) -> None:
    rows = EpicReader(write_epic(tmp_path, {"val": []})).read("val")
    assert (rows.clips.schema, rows.rejects.schema) == (CLIPS, REJECTS)
    assert rows.clips.num_rows == rows.rejects.num_rows == 0


def test_missing_columns_are_named_with_those_found(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = write_rows(folder / FILES["val"], [row()], [name for name in COLUMNS if name not in ("verb_class", "noun")])
    with pytest.raises(InputError) as error:
        EpicReader(folder).read("val")
    found = ", ".join(name for name in COLUMNS if name not in ("verb_class", "noun"))
    assert str(error.value) == f"{file}, line 1: the columns verb_class, noun are missing; found {found}."


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = folder / FILES["val"]
    file.write_bytes(b"")
    with pytest.raises(InputError) as error:
        EpicReader(folder).read("val")
    assert str(error.value) == f"{file}, line 1: the columns {', '.join(COLUMNS)} are missing; found nothing."


def test_a_file_that_is_not_text_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    (folder / FILES["val"]).write_bytes(",".join(COLUMNS).encode() + b"\nP90\xff\xfe\n")
    with pytest.raises(InputError, match=r"EPIC_100_validation\.csv: not a text file in UTF-8 \("):
        EpicReader(folder).read("val")


def test_a_missing_class_file_names_the_v2_list_that_must_not_replace_it(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = folder / "EPIC_100_noun_classes.csv"
    file.rename(folder / "EPIC_100_noun_classes_v2.csv")
    for read in (EpicReader(folder).classes, lambda: EpicReader(folder).read("val")):
        with pytest.raises(InputError) as error:
            read()
        assert str(error.value) == (
            f"{file}: not found. It comes with epic-kitchens-100-annotations. The file of that name ending in _v2 "
            "cannot take its place: it is the list of 305 nouns of VISOR, the other annotations use 300."
        )


def test_the_v2_list_under_the_name_of_the_first_is_refused_with_an_explanation(tmp_path: Path) -> None:
    keys = [f"thing{number}" for number in range(300)]
    nouns = [(key, f"['{key}']") for key in [*keys, "hand:left", "hand:right", "foot", "glove:left", "glove:right"]]
    folder = write_epic(tmp_path, nouns=nouns)
    with pytest.raises(InputError, match=r"305 classes, the last hand:left, .* this is EPIC_100_noun_classes_v2\.csv"):
        EpicReader(folder).classes()


def test_class_ids_with_a_gap_are_refused(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = folder / "EPIC_100_verb_classes.csv"
    file.write_bytes(b"id,key,instances,category\r\n0,stir,['stir'],x\r\n2,chop,['chop'],x\r\n")
    with pytest.raises(InputError) as error:
        EpicReader(folder).classes()
    assert str(error.value) == (
        f"{file}, line 3: id '2' with instances \"['chop']\"; "
        "expected id 1 (ids count from 0 without a gap) and a list of words."
    )


def test_a_class_line_cut_short_is_refused(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = folder / "EPIC_100_verb_classes.csv"
    file.write_bytes(b"id,key,instances,category\r\n0,stir,['stir'],x\r\n1,ch")
    with pytest.raises(InputError, match="line 3: 2 cells, expected 4; the file ends in the middle of this line"):
        EpicReader(folder).classes()


def test_a_class_file_without_a_class_is_refused(tmp_path: Path) -> None:
    folder = write_epic(tmp_path)
    file = write_classes(folder / "EPIC_100_noun_classes.csv", [])
    with pytest.raises(InputError) as error:
        EpicReader(folder).classes()
    assert str(error.value) == f"{file}: no class in it; expected rows of id,key,instances,category."


def test_a_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        EpicReader(tmp_path / "nowhere")
    assert str(error.value) == (
        f"--annotations {tmp_path / 'nowhere'}: no such folder. It is the clone or download of "
        "epic-kitchens-100-annotations, with EPIC_100_validation.csv in it."
    )


def test_a_split_without_a_file_names_those_that_have_one(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path, {"train": [row()], "test": [row()]}))
    assert reader.splits() == ["train", "test"]
    with pytest.raises(InputError) as error:
        reader.read("val")
    assert str(error.value) == (
        f"{tmp_path / FILES['val']}: not found. Splits with a file in this folder: train, test."
    )
    (tmp_path / FILES["train"]).unlink()
    (tmp_path / FILES["test"]).unlink()
    with pytest.raises(InputError, match=re.escape(f"no {' or '.join(FILES.values())} in this folder")):
        EpicReader(tmp_path).read("val")


def test_files_are_the_split_and_both_class_lists(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path, {"test": [row()]}))
    assert [file.name for file in reader.files("test")] == [
        FILES["test"],
        "EPIC_100_noun_classes.csv",
        "EPIC_100_verb_classes.csv",
    ]
    assert (tmp_path / FILES["test"]).read_text().splitlines()[0].split(",") == TIME_COLUMNS


def test_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    folder = write_epic(tmp_path, {"val": [row("P90_01_0"), row("P90_01_1")]})
    file = folder / FILES["val"]
    before = EpicReader(folder).read("val").clips
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert EpicReader(folder).read("val").clips.equals(before)


@pytest.mark.skipif(not _REAL.is_dir(), reason="needs the official annotation files")
def test_the_real_validation_csv_is_read_to_the_row() -> None:
    reader = EpicReader(_REAL)
    rows = reader.read("val")
    assert (rows.clips.num_rows, rows.rejects.num_rows) == (9668, 0)
    counts = {name: len(set(rows.clips.column(name).to_pylist())) for name in ("video_id", "noun_class", "verb_class")}
    assert counts == {"video_id": 138, "noun_class": 211, "verb_class": 78}
    names = {label: table.column("name").to_pylist() for label, table in reader.classes().items()}
    assert {label: (len(found), len(set(found))) for label, found in names.items()} == {
        "noun": (300, 300),
        "verb": (97, 97),
    }
    assert len(set(rows.clips.column("clip_id").to_pylist())) == 9668
    assert all(reader.video_facts(video).duration_s for video in set(rows.clips.column("video_id").to_pylist()))
    fixed = dict(zip(names["noun"], reader.classes()["noun"].column("fixed").to_pylist(), strict=True))
    assert {name: text for name, text in fixed.items() if name != text} == {
        "vide sous machine": "sous vide machine",
        "egg scotch": "scotch egg",
    }


@pytest.mark.skipif(not _REAL.is_dir(), reason="needs the official annotation files")
def test_the_real_rows_of_2020_are_numbered_at_50_frames_a_second(tmp_path: Path) -> None:
    for file in ("EPIC_100_noun_classes.csv", "EPIC_100_verb_classes.csv"):
        (tmp_path / file).write_bytes((_REAL / file).read_bytes())
    (tmp_path / FILES["train"]).write_bytes((_REAL / "EPIC_100_uda_target_val.csv").read_bytes())
    reader = EpicReader(tmp_path)
    clips = reader.read("train").clips.to_pylist()
    assert len(clips) == 7906
    off = [clip["start_frame"] - clip["start_s"] * reader.video_facts(clip["video_id"]).jpeg_rate for clip in clips]
    assert all(-1.001 < difference < 1.001 for difference in off)


def test_whole_numbers_that_pandas_made_floats_are_whole(tmp_path: Path) -> None:
    floats = {"verb_class": "1.0", "noun_class": "2.0", "start_frame": "90.0", "stop_frame": "195.0"}
    words = {"verb": "fold-in", "noun": "press", "all_nouns": "['press']", "all_noun_classes": "[2]"}
    folder = write_epic(tmp_path, {"val": [row(**floats, **words)]})
    (clip,) = EpicReader(folder).read("val").clips.to_pylist()
    assert [clip[name] for name in floats] == [1, 2, 90, 195]
