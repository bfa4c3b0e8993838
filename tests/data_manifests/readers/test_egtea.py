from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError, UsageError
from data_manifests.readers import VideoFacts
from data_manifests.readers.egtea import EgteaReader
from data_manifests.schema import CLASSES, CLIPS, REJECTS
from data_manifests.videos import VideoFinder
from tests.data_manifests.egtea_files import NOUNS, SESSION, VERBS, clip, line, write_egtea, write_index

_REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "egtea"


def _refusal(folder: Path, split: str = "test") -> str:
    with pytest.raises(InputError) as error:
        EgteaReader(folder).read(split)
    return str(error.value)


def _one_reject(folder: Path, bad: str) -> dict[str, Any]:
    """The reject of ``bad`` between good lines, as line 2."""
    rows = EgteaReader(write_egtea(folder, {"test_split1": [line(1), bad, line(3)]})).read("test")
    assert rows.clips.column("clip_id").to_pylist() == [clip(1), clip(3)]
    assert rows.rejects.schema == REJECTS
    (reject,) = rows.rejects.to_pylist()
    assert (reject["file"], reject["row"]) == ("test_split1.txt", 2)
    return reject


def test_a_line_becomes_a_clip_that_is_a_whole_trimmed_file(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path, {"test_split1": [line(7, "4 1 4 1 3")]})
    rows = EgteaReader(folder).read("test")
    assert (rows.clips.schema, rows.rejects.num_rows) == (CLIPS, 0)
    assert rows.origins == [("test_split1.txt", 1)]
    assert rows.clips.to_pylist() == [
        {
            "clip_id": "Q01-R02-PieCrust-7000-8000-F000166-F000195",
            "video_id": "Q01-R02-PieCrust-7000-8000-F000166-F000195",
            "start_s": 0.0,
            "stop_s": None,
            "start_frame": None,
            "stop_frame": None,
            "noun_class": 4,
            "verb_class": 1,
            "all_noun_classes": [4, 1, 3],
            "noun": "dough",
            "verb": "Stir",
            "narration": "Stir dough,ladle,bowl",
            "participant_id": "Q01",
            "recording_id": "Q01-R02-PieCrust",
        }
    ]


def test_lines_with_four_five_and_six_columns_keep_all_their_nouns(tmp_path: Path) -> None:
    lines = [line(1, "3 3 2"), line(2, "1 1 3 1"), line(3, "4 1 4 1 3")]
    rows = EgteaReader(write_egtea(tmp_path, {"test_split1": lines})).read("test")
    assert rows.clips.column("all_noun_classes").to_pylist() == [[2], [3, 1], [4, 1, 3]]
    assert rows.clips.column("noun_class").to_pylist() == [2, 3, 4]


def test_an_empty_class_at_index_0_lets_ids_that_count_from_1_index_the_list(tmp_path: Path) -> None:
    reader = EgteaReader(write_egtea(tmp_path))
    classes = reader.classes()
    assert classes["noun"].schema == CLASSES
    assert classes["noun"].column("key").to_pylist() == ["", *NOUNS]
    assert classes["noun"].to_pylist()[0] == {"class_id": 0, "key": "", "name": "", "fixed": "", "synonyms": [""]}
    (row,) = reader.read("test").clips.to_pylist()
    assert (row["verb"], row["noun"]) == ("Fold in", "dough")
    assert classes["verb"].column("key")[row["verb_class"]].as_py() == "Fold in"
    assert classes["noun"].column("key")[row["noun_class"]].as_py() == "dough"


def test_without_the_empty_class_every_id_is_one_lower(tmp_path: Path) -> None:
    reader = EgteaReader(write_egtea(tmp_path, {"test_split1": [line(1, "4 1 4 1 3")]}), empty_class=False)
    assert reader.classes()["noun"].column("key").to_pylist() == NOUNS
    assert reader.classes()["verb"].column("class_id").to_pylist() == [0, 1, 2]
    (row,) = reader.read("test").clips.to_pylist()
    assert (row["verb_class"], row["noun_class"], row["all_noun_classes"]) == (0, 3, [3, 0, 2])
    assert (row["verb"], row["noun"]) == ("Stir", "dough")


def test_the_empty_class_is_a_parameter_of_the_manifest(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path)
    assert EgteaReader(folder).parameters == {"reader": "egtea", "empty_class": True}
    assert EgteaReader(folder, empty_class=False).parameters == {"reader": "egtea", "empty_class": False}


def test_names_have_spaces_for_slashes_and_underscores_and_each_part_is_a_synonym(tmp_path: Path) -> None:
    classes = EgteaReader(write_egtea(tmp_path)).classes()
    assert classes["verb"].column("name").to_pylist() == ["", "Stir", "Fold in", "Lift Carry Off"]
    assert classes["verb"].column("synonyms").to_pylist()[3] == ["Lift Carry Off", "Lift", "Carry Off"]
    assert classes["noun"].column("name").to_pylist()[2] == "bread board"
    assert classes["noun"].column("synonyms").to_pylist()[2] == ["bread board"]


def test_test_is_the_union_of_the_three_test_splits(tmp_path: Path) -> None:
    splits = {f"test_split{number}": [line(number)] for number in (1, 2, 3)}
    reader = EgteaReader(write_egtea(tmp_path, splits))
    rows = reader.read("test")
    assert rows.clips.column("clip_id").to_pylist() == [clip(1), clip(2), clip(3)]
    assert rows.origins == [("test_split1.txt", 1), ("test_split2.txt", 1), ("test_split3.txt", 1)]
    assert rows.findings == [
        "3 of 3 test splits (test_split1.txt, test_split2.txt, test_split3.txt): 3 clips; "
        "the paper's test set is all three, 6,065 clips"
    ]
    assert [file.name for file in reader.files("test")] == [
        *(f"{name}.txt" for name in splits),
        "action_idx.txt",
        "noun_idx.txt",
        "verb_idx.txt",
    ]


def test_one_test_split_is_not_taken_for_all_of_them(tmp_path: Path) -> None:
    rows = EgteaReader(write_egtea(tmp_path, {"test_split2": [line(1), line(2)]})).read("test")
    assert rows.findings == [
        "1 of 3 test splits (test_split2.txt): 2 clips; the paper's test set is all three, 6,065 clips"
    ]


def test_a_clip_of_two_test_files_counts_once_and_is_reported(tmp_path: Path) -> None:
    splits = {"test_split1": [line(1), line(2)], "test_split3": [line(3), line(2), line(1, "3 3 2")]}
    rows = EgteaReader(write_egtea(tmp_path, splits)).read("test")
    assert rows.clips.column("clip_id").to_pylist() == [clip(1), clip(2), clip(3)]
    assert rows.clips.column("noun").to_pylist() == ["dough"] * 3
    assert [(reject["row"], reject["reason"], reject["detail"]) for reject in rows.rejects.to_pylist()] == [
        (2, "duplicate_row", "the same clip and labels as test_split1.txt, line 2"),
        (3, "duplicate_id", "test_split1.txt, line 1 has this clip with other labels"),
    ]
    assert rows.findings[0].startswith("2 of 3 test splits (test_split1.txt, test_split3.txt): 3 clips;")


def test_train_is_split_1_and_says_how_many_of_its_clips_are_tested(tmp_path: Path) -> None:
    splits = {"train_split1": [line(1), line(2), line(3)], "train_split2": [line(9)], "test_split2": [line(2), line(3)]}
    reader = EgteaReader(write_egtea(tmp_path, splits))
    rows = reader.read("train")
    assert reader.splits() == ["train", "test"]
    assert rows.clips.column("clip_id").to_pylist() == [clip(1), clip(2), clip(3)]
    assert rows.findings == [
        "2 of the 3 clips of train_split1.txt are in the test split too, which is the union of the three test splits: "
        "who trains on them must keep only test_split1.txt in the folder"
    ]


def test_there_is_no_val_split_and_a_missing_one_names_those_there(tmp_path: Path) -> None:
    reader = EgteaReader(write_egtea(tmp_path))
    assert reader.splits() == ["test"]
    with pytest.raises(InputError, match=r": EGTEA has no split val; it has train and test\.$"):
        reader.read("val")
    with pytest.raises(InputError, match=r": no train_split1\.txt\. Splits with a file in this folder: test\.$"):
        reader.read("train")


def test_a_file_in_quotes_is_refused_with_one_message(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path, {"test_split1": [f'"{line(1)}"', f'"{line(2)}"']})
    assert _refusal(folder) == (
        f'{folder / "test_split1.txt"}, line 1: found "{line(1)}"; expected the line without quotes. '
        "This is a copy in which every line is quoted; take the file from action_annotation.zip."
    )


def test_a_table_with_commas_is_refused_with_one_message(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path, {"test_split1": [f"0,{SESSION},30,60,1,3,1", f"1,{SESSION},60,90,1,3,1"]})
    assert _refusal(folder) == (
        f"{folder / 'test_split1.txt'}, line 1: found 0,{SESSION},30,60,1,3,1; expected "
        "'<clip id> <action> <verb> <noun>' with up to two more nouns, ids from 1. A table with commas is a copy made "
        "for another tool, with ids and frame numbers of its own; take the file from action_annotation.zip."
    )


@pytest.mark.parametrize(
    ("ids", "what"), [("0 0 2 0", "action"), ("1 0 3", "verb"), ("1 1 0", "noun"), ("1 1 3 0", "noun")]
)
def test_an_id_0_refuses_the_whole_file(tmp_path: Path, ids: str, what: str) -> None:
    folder = write_egtea(tmp_path, {"test_split1": [line(1), line(2), line(3, ids)]})
    count = {"action": 4, "verb": 3, "noun": 4}[what]
    assert _refusal(folder) == (
        f"{folder / 'test_split1.txt'}, line 3: {what} 0; expected 1 to {count}. The ids of EGTEA count from 1, "
        "those of this copy from 0; take the file from action_annotation.zip."
    )


def test_a_known_reason_gets_no_guess_beside_it(tmp_path: Path) -> None:
    rows = [line(number, "1 1 1").replace(" ", ".mp4 ", 1) for number in (1, 2)]
    refusal = _refusal(write_egtea(tmp_path, {"test_split1": rows}))
    assert "ids have no file ending" in refusal
    assert "count from 0" not in refusal


def test_ids_that_count_from_0_are_seen_even_when_no_id_is_0(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path, {"test_split1": [line(1, "2 2 1"), line(2, "2 2 1"), line(3, "1 1 3")]})
    assert _refusal(folder) == (
        f"{folder / 'test_split1.txt'}: 2 of 3 lines are wrong, the first is line 1: action 2 is 'Fold in dough', "
        "but verb 2 is 'Fold in' and noun 1 is 'ladle'. The ids seem to count from 0. Expected '<clip id> <action> "
        "<verb> <noun>' with up to two more nouns, ids from 1, as in action_annotation.zip."
    )


@pytest.mark.parametrize(
    ("ids", "what", "number", "count"), [("5 2 4", "action", 5, 4), ("2 4 4", "verb", 4, 3), ("1 1 3 9", "noun", 9, 4)]
)
def test_an_id_that_the_index_file_lacks_refuses_the_whole_file(
    tmp_path: Path, ids: str, what: str, number: int, count: int
) -> None:
    folder = write_egtea(tmp_path, {"test_split1": [line(1), line(2, ids)]})
    assert _refusal(folder) == (
        f"{folder / 'test_split1.txt'}, line 2: {what} {number}; expected 1 to {count}, the ids in {what}_idx.txt. "
        "The two files do not belong together; take both from action_annotation.zip."
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no line in it."),
        (
            "video label\nvideo label\n",
            "2 of 2 lines are wrong, the first is line 1: clip id 'video' is not of the form",
        ),
        (f"{clip(1)} 2\n", "1 of 1 lines are wrong, the first is line 1: 2 columns, expected 4 to 6"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_one_message(tmp_path: Path, text: str, what: str) -> None:
    file = write_egtea(tmp_path) / "test_split1.txt"
    file.write_text(text)
    assert _refusal(tmp_path).startswith(f"{file}: {what}")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = write_egtea(tmp_path) / "test_split1.txt"
    file.write_bytes(b"PK\x03\x04\xff\xfe")
    assert _refusal(tmp_path).startswith(f"{file}: not a text file in UTF-8 (")


def test_a_single_line_whose_action_is_not_its_verb_and_noun_is_rejected(tmp_path: Path) -> None:
    reject = _one_reject(tmp_path, line(2, "2 2 2"))
    assert (reject["clip_id"], reject["reason"]) == (clip(2), "unknown_class")
    assert reject["detail"] == "action 2 is 'Fold in dough', but verb 2 is 'Fold in' and noun 2 is 'bread_board'"


@pytest.mark.parametrize(
    ("ids", "reason", "detail"),
    [
        ("2 2", "missing_value", "3 columns, expected 4 to 6"),
        ("4 1 4 1 3 2", "unknown_class", "7 columns, expected 4 to 6"),
        ("2 2 dough", "unknown_class", "noun 'dough' is not an id"),
        ("2 -2 4", "unknown_class", "verb '-2' is not an id"),
        ("2 2 " + "4" * 5000, "unknown_class", "noun '444"),
    ],
)
def test_a_single_line_without_good_ids_is_rejected(tmp_path: Path, ids: str, reason: str, detail: str) -> None:
    reject = _one_reject(tmp_path, line(2, ids))
    assert reject["reason"] == reason
    assert reject["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("clip_id", "reason"),
    [
        ("../Q01-R02-PieCrust-0-1000-F000000-F000029", "unsafe_path"),
        ("/Q01-R02-PieCrust-0-1000-F000000-F000029", "unsafe_path"),
        ("Q01-..-PieCrust-0-1000-F000000-F000029", "unsafe_path"),
        ("Q01-R02-Pie{clip_id}-0-1000-F000000-F000029", "unsafe_path"),
        ("Q01-R02--0-1000-F000000-F000029", "unsafe_path"),
        ("Q01-R02-Pie-Crust-0-1000-F000000-F000029", "bad_time"),
        ("Q01-R02-PieCrust-0-1000", "bad_time"),
        ("Q01-R02-PieCrust-0-1s-F000000-F000029", "bad_time"),
        ("Q01-R02-PieCrust-0-1000-000000-000029", "bad_time"),
        ("Q01-R02-PieCrust-1000-1000-F000000-F000029", "not_positive_duration"),
        ("Q01-R02-PieCrust-0-1000-F000029-F000029", "not_positive_duration"),
    ],
)
def test_a_clip_id_of_another_form_is_rejected(tmp_path: Path, clip_id: str, reason: str) -> None:
    reject = _one_reject(tmp_path, f"{clip_id} 2 2 4")
    assert (reject["clip_id"], reject["reason"]) == (clip_id, reason)


def test_nouns_after_the_first_may_differ_from_the_name_of_the_action(tmp_path: Path) -> None:
    lines = [line(1, "4 1 4 1 3"), line(2, "4 1 4 1 2"), line(3, "1 1 3")]
    rows = EgteaReader(write_egtea(tmp_path, {"test_split1": lines})).read("test")
    assert rows.rejects.num_rows == 0
    assert rows.clips.column("all_noun_classes").to_pylist() == [[4, 1, 3], [4, 1, 2], [3]]
    assert rows.findings[1:] == [
        "fewer nouns than the action's name has: 1 (first in test_split1.txt, line 3); the official files have none, "
        "this is probably a copy with 4 columns, in which some clip ids are not those of the video files",
        "other nouns after the first than the action's name has: 1 (first in test_split1.txt, line 2); "
        "kept as they are",
    ]


@pytest.mark.parametrize(
    ("content", "number", "found", "expected"),
    [
        ("ladle 0\nbowl 1\n", 1, "ladle 0", 1),
        ("ladle 1\nbowl 3\n", 2, "bowl 3", 2),
        ("ladle 1\nladle 2\n", 2, "ladle 2", 2),
        ("ladle 1\n2\n", 2, "2", 2),
        ("ladle 1\ncup bowl\n", 2, "cup bowl", 2),
    ],
)
def test_an_index_that_does_not_count_from_1_without_a_gap_is_refused(
    tmp_path: Path, content: str, number: int, found: str, expected: int
) -> None:
    file = write_egtea(tmp_path) / "noun_idx.txt"
    file.write_text(content)
    with pytest.raises(InputError) as error:
        EgteaReader(tmp_path).classes()
    assert str(error.value) == (
        f"{file}, line {number}: found {found!r}; expected a new name and the id {expected} "
        "(ids count from 1 without a gap)."
    )


def test_carriage_returns_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path)
    (folder / "test_split1.txt").write_bytes(f"{line(1)}\r\n\r\n{line(2)}\r\n".encode())
    (folder / "verb_idx.txt").write_bytes("".join(f"{name} {i}\r\n" for i, name in enumerate(VERBS, 1)).encode())
    rows = EgteaReader(folder).read("test")
    assert rows.origins == [("test_split1.txt", 1), ("test_split1.txt", 3)]
    assert rows.clips.column("verb").to_pylist() == ["Fold in"] * 2


@pytest.mark.parametrize("name", ["action_idx.txt", "verb_idx.txt", "noun_idx.txt"])
def test_a_missing_index_file_is_named(tmp_path: Path, name: str) -> None:
    (write_egtea(tmp_path) / name).unlink()
    assert _refusal(tmp_path).startswith(f"{tmp_path / name}: not found.")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--annotations .*none: no such folder\."):
        EgteaReader(tmp_path / "none")


@pytest.mark.parametrize(
    "folder",
    [
        f"cropped_clips/{SESSION}",
        f"cropped_clips/cropped_clips/{SESSION}",
        f"video_clips/cropped_clips/{SESSION}",
        f"videos/cropped_clips/{SESSION}",
        SESSION,
        "cropped_clips",
        ".",
    ],
)
def test_clips_are_found_in_every_common_layout(tmp_path: Path, folder: str) -> None:
    file = tmp_path / "root" / folder / f"{clip(1)}.MP4"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"video")
    reader = EgteaReader(write_egtea(tmp_path / "annotations"))
    found = VideoFinder([tmp_path / "root"]).find(reader.video_places(clip(1)))
    assert found is not None
    assert found.path == file


def test_patterns_of_the_user_take_the_place_of_the_known_layouts(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path)
    (place,) = EgteaReader(folder, patterns=["small/{session}_{clip_id}.webm"]).video_places(clip(1))
    assert place.path == f"small/{SESSION}_{clip(1)}.webm"
    with pytest.raises(UsageError, match="session"):
        EgteaReader(folder, patterns=["{video_id}.mp4"])


def test_no_duration_is_claimed_and_needed_clips_are_listed_by_path(tmp_path: Path) -> None:
    reader = EgteaReader(write_egtea(tmp_path))
    assert reader.video_facts(clip(1)) == VideoFacts()
    assert reader.downloader_list([clip(1), clip(2)]) == [f"{SESSION}/{clip(1)}.mp4", f"{SESSION}/{clip(2)}.mp4"]


def test_a_file_of_names_that_is_longer_shifts_no_id(tmp_path: Path) -> None:
    folder = write_egtea(tmp_path)
    write_index(folder, "noun", [*NOUNS, "cup"])
    assert EgteaReader(folder).read("test").clips.column("noun_class").to_pylist() == [4]


@pytest.mark.skipif(not _REAL.is_dir(), reason="the real annotation files are not here")
def test_the_real_files_of_split_1_are_read_to_the_row() -> None:
    reader = EgteaReader(_REAL)
    assert {label: table.num_rows for label, table in reader.classes().items()} == {"noun": 54, "verb": 20}
    train, test = reader.read("train"), reader.read("test")
    assert (train.clips.num_rows, train.rejects.num_rows) == (8299, 0)
    assert (test.clips.num_rows, test.rejects.num_rows) == (2022, 0)
    assert Counter(map(len, train.clips.column("all_noun_classes").to_pylist())) == {1: 7893, 2: 177, 3: 229}
    assert len(set(train.clips.column("recording_id").to_pylist())) == 86
    assert len(set(train.clips.column("noun_class").to_pylist())) == 51
    assert min(train.clips.column("verb_class").to_pylist()) == 1
    assert train.findings == [
        "other nouns after the first than the action's name has: 1 (first in train_split1.txt, line 7803); "
        "kept as they are"
    ]
    assert test.findings == [
        "1 of 3 test splits (test_split1.txt): 2,022 clips; the paper's test set is all three, 6,065 clips"
    ]
    assert {label: table.num_rows for label, table in EgteaReader(_REAL, empty_class=False).classes().items()} == {
        "noun": 53,
        "verb": 19,
    }


@pytest.mark.parametrize("ending", ["mp4", "avi", "MP4"])
def test_ids_with_a_file_ending_are_refused_for_the_ending_without_another_guess(tmp_path: Path, ending: str) -> None:
    # One higher, these ids would make sense too.
    lines = [line(number, "1 1 1").replace(" ", f".{ending} ", 1) for number in (1, 2)]
    folder = write_egtea(tmp_path, {"test_split1": lines})
    wrong = lines[0].split(" ")[0]
    assert _refusal(folder) == (
        f"{folder / 'test_split1.txt'}: 2 of 2 lines are wrong, the first is line 1: clip id {wrong!r} ends in "
        f".{ending}; expected {wrong.rpartition('.')[0]!r}: ids have no file ending. Expected '<clip id> <action> "
        "<verb> <noun>' with up to two more nouns, ids from 1, as in action_annotation.zip."
    )
