from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError, UsageError
from data_manifests.readers import SplitRows
from data_manifests.readers.ego4d import Ego4dReader, window_of
from data_manifests.schema import CLIPS, REJECT_REASONS, REJECTS
from tests.data_manifests.ego4d_files import (
    FILES,
    TAXONOMY,
    entry,
    unannotated,
    without,
    write_ego4d,
    write_json,
    write_metadata,
)

_NO_METADATA = "No ego4d.json in the annotation folder or the two above it: blank stretches are not known."


def _read(folder: Path, entries: Sequence[Any], window_s: float | None = None) -> SplitRows:
    return Ego4dReader(write_ego4d(folder, {"val": entries}), window_s).read("val")


def _only_clip(folder: Path, fields: dict[str, Any], window_s: float | None = None) -> dict[str, Any]:
    rows = _read(folder, [fields], window_s)
    assert rows.rejects.num_rows == 0
    (clip,) = rows.clips.to_pylist()
    return clip


def _only_reject(folder: Path, fields: Any) -> dict[str, Any]:
    """The reject that one bad entry among many good ones becomes."""
    rows = _read(folder, [*(entry(action_idx=100 + n) for n in range(19)), fields])
    assert rows.clips.num_rows == 19
    (reject,) = rows.rejects.to_pylist()
    assert (reject["file"], reject["row"]) == (FILES["val"], 20)
    assert reject["reason"] in REJECT_REASONS
    return reject


def test_an_entry_becomes_a_clip_with_seconds_of_its_own_file_and_the_labels_of_the_file(tmp_path: Path) -> None:
    assert _only_clip(tmp_path, entry("clip-a", 5)) == {
        "clip_id": "clip-a_5",
        "video_id": "clip-a",
        "start_s": 20.0,
        "stop_s": 28.0,
        "start_frame": None,
        "stop_frame": None,
        "noun_class": 3,
        "verb_class": 1,
        "all_noun_classes": [3],
        "noun": "rope_ladder",
        "verb": "tie",
        "narration": None,
        "participant_id": None,
        "recording_id": "recording-1",
    }


def test_entries_are_segments_and_many_may_be_of_one_clip(tmp_path: Path) -> None:
    rows = _read(tmp_path, [entry("a", 0), entry("a", 1), entry("b", 0, video_uid="recording-2")])
    assert rows.clips.column("clip_id").to_pylist() == ["a_0", "a_1", "b_0"]
    assert rows.clips.column("video_id").to_pylist() == ["a", "a", "b"]
    assert rows.origins == [(FILES["val"], 1), (FILES["val"], 2), (FILES["val"], 3)]


def test_rows_that_are_not_in_time_order_keep_the_order_of_the_file(tmp_path: Path) -> None:
    entries = [
        entry(action_idx=n, action_clip_start_sec=float(s), action_clip_end_sec=s + 8.0) for n, s in [(1, 30), (0, 9)]
    ]
    assert _read(tmp_path, entries).clips.column("start_s").to_pylist() == [30.0, 9.0]


def test_a_narration_is_kept_where_the_file_has_one(tmp_path: Path) -> None:
    assert _only_clip(tmp_path, entry(narration_text="#C C ties a ladder"))["narration"] == "#C C ties a ladder"
    assert _only_clip(tmp_path, entry(narration_text=""))["narration"] is None


def test_the_test_split_has_no_labels(tmp_path: Path) -> None:
    folder = write_ego4d(tmp_path, {"test": [unannotated(entry("t", 2))]})
    (clip,) = Ego4dReader(folder).read("test").clips.to_pylist()
    assert (clip["clip_id"], clip["start_s"], clip["stop_s"]) == ("t_2", 22.0, 26.0)
    unlabelled = ("noun_class", "verb_class", "all_noun_classes", "noun", "verb", "narration")
    assert [clip[name] for name in unlabelled] == [None] * 6


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_window_is_the_centre_of_a_segment_in_every_split(tmp_path: Path, split: str) -> None:
    folder = write_ego4d(tmp_path, {split: [entry()]})
    clip = Ego4dReader(folder).read(split).clips.to_pylist()[0]
    assert (clip["start_s"], clip["stop_s"]) == (22.0, 26.0)
    clip = Ego4dReader(folder, window_s=None).read(split).clips.to_pylist()[0]
    assert (clip["start_s"], clip["stop_s"]) == (20.0, 28.0)


@pytest.mark.parametrize(
    ("start", "stop", "window_s", "expected"),
    [
        (0.0, 6.0, 4.0, (1.0, 5.0)),
        (0.021, 3.5, 4.0, (0.021, 3.5)),
        (4.75, 12.75, 8.0, (4.75, 12.75)),
        (4.75, 12.750000000000002, 8.0, (4.75, 12.750000000000002)),
        (4.75, 12.75, 1.5, (8.0, 9.5)),
    ],
)
def test_a_segment_not_longer_than_the_window_is_used_whole(
    tmp_path: Path, start: float, stop: float, window_s: float, expected: tuple[float, float]
) -> None:
    clip = _only_clip(tmp_path, entry(action_clip_start_sec=start, action_clip_end_sec=stop), window_s)
    assert (clip["start_s"], clip["stop_s"]) == expected


def test_how_many_segments_the_window_cuts_is_a_finding_and_the_window_a_parameter(tmp_path: Path) -> None:
    write_metadata(tmp_path / "ego4d.json", {})
    entries = [entry(action_idx=0), entry(action_idx=1), entry(action_idx=2, action_clip_end_sec=23.0)]
    assert _read(tmp_path, entries, 4.0).findings == [
        "Segments longer than 4 s, of which the central 4 s are used: 2 of 3."
    ]
    assert _read(tmp_path, entries, None).findings == []
    assert Ego4dReader(tmp_path).parameters == {"reader": "ego4d", "window_s": 4.0}
    assert Ego4dReader(tmp_path, None).parameters == {"reader": "ego4d", "window_s": None}


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_window_that_is_no_length_is_wrong_usage(tmp_path: Path, window_s: float) -> None:
    with pytest.raises(UsageError, match=r"--window .*: expected a positive number of seconds\."):
        Ego4dReader(write_ego4d(tmp_path), window_s)


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"action_clip_end_sec": 20.0}, "not_positive_duration", "starts at 20.0 s, stops at 20.0 s"),
        ({"action_clip_end_sec": 19.0}, "not_positive_duration", "starts at 20.0 s, stops at 19.0 s"),
        (
            {"action_clip_start_sec": -0.5},
            "bad_time",
            "action_clip_start_sec -0.5 is before the start of the video",
        ),
        ({"action_clip_start_sec": "20"}, "bad_time", "action_clip_start_sec '20' is not a number of seconds"),
        ({"action_clip_start_sec": True}, "bad_time", "action_clip_start_sec True is not a number of seconds"),
        ({"action_clip_end_sec": float("nan")}, "bad_time", "action_clip_end_sec nan is not a number of seconds"),
        ({"action_clip_end_sec": float("inf")}, "bad_time", "action_clip_end_sec inf is not a number of seconds"),
        (
            {"action_clip_end_sec": 10**400},
            "bad_time",
            f"action_clip_end_sec 1{'0' * 59} is not a number of seconds",
        ),
        (
            {"clip_parent_end_sec": 100.0},
            "bad_time",
            "the clip starts at 100.0 s of its video and ends at 100.0 s",
        ),
        ({"clip_uid": "../clip"}, "unsafe_path", "clip_uid '../clip', expected letters, digits, '-' and '_' only"),
        ({"clip_uid": "clip\n"}, "unsafe_path", "clip_uid 'clip\\n', expected letters, digits, '-' and '_' only"),
        ({"clip_uid": 7}, "unsafe_path", "clip_uid 7, expected letters, digits, '-' and '_' only"),
        ({"video_uid": "/a"}, "unsafe_path", "video_uid '/a', expected letters, digits, '-' and '_' only"),
        ({"action_idx": "3"}, "missing_value", "action_idx '3' is not a whole number"),
        ({"action_idx": 3.0}, "missing_value", "action_idx 3.0 is not a whole number"),
        ({"noun_label": 4}, "unknown_class", "noun_label 4, expected 0 to 3"),
        ({"noun_label": -1}, "unknown_class", "noun_label -1, expected 0 to 3"),
        ({"verb_label": True}, "unknown_class", "verb_label True, expected 0 to 1"),
        ({"verb_label": "1"}, "unknown_class", "verb_label '1', expected 0 to 1"),
        (
            {"noun": "anchor"},
            "unknown_class",
            "noun_label 3 is 'rope_ladder' in the taxonomy, the entry says 'anchor'",
        ),
    ],
)
def test_every_bad_entry_is_rejected_with_its_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str, detail: str
) -> None:
    reject = _only_reject(tmp_path, entry() | changes)
    assert (reject["reason"], reject["detail"]) == (reason, detail)


@pytest.mark.parametrize(
    "name",
    ["video_uid", "clip_uid", "action_idx", "clip_parent_start_sec", "clip_parent_end_sec"]
    + ["action_clip_start_sec", "action_clip_end_sec", "verb", "noun", "verb_label", "noun_label"],
)
def test_a_missing_field_is_named(tmp_path: Path, name: str) -> None:
    for fields in (without(entry(), name), entry(**{name: None})):
        reject = _only_reject(tmp_path, fields)
        assert (reject["reason"], reject["detail"]) == ("missing_value", f"{name} is missing or empty")
        assert reject["clip_id"] == (None if name in ("clip_uid", "action_idx") else "clip-a_0")


@pytest.mark.parametrize("fields", [None, 3, "clip", ["clip-a", 0]])
def test_an_entry_that_is_no_object_is_rejected(tmp_path: Path, fields: Any) -> None:
    reject = _only_reject(tmp_path, fields)
    assert (reject["reason"], reject["clip_id"]) == ("missing_value", None)
    assert reject["detail"] == f"found {fields!r}, expected an object"


def test_the_second_entry_of_a_clip_and_action_is_rejected_and_the_first_kept(tmp_path: Path) -> None:
    rows = _read(tmp_path, [entry(narration_text="first"), entry("b"), entry(narration_text="second")])
    assert rows.clips.column("narration").to_pylist() == ["first", None]
    (reject,) = rows.rejects.to_pylist()
    assert (reject["row"], reject["clip_id"], reject["reason"]) == (3, "clip-a_0", "duplicate_id")
    assert reject["detail"] == "clip_uid and action_idx clip-a_0 are in an earlier entry"


def test_an_entry_that_puts_its_clip_elsewhere_in_the_video_than_an_earlier_one_is_rejected(tmp_path: Path) -> None:
    rows = _read(tmp_path, [entry(), entry(action_idx=1, clip_parent_start_sec=90.0), entry(action_idx=2)])
    assert rows.clips.num_rows == 2
    (reject,) = rows.rejects.to_pylist()
    assert reject["reason"] == "bad_time"
    assert reject["detail"] == (
        "the clip is 90.0 to 400.0 s of video recording-1, "
        "but by an earlier entry 100.0 to 400.0 s of video recording-1"
    )


def test_a_taxonomy_of_another_version_is_refused_when_a_tenth_of_the_entries_disagrees(tmp_path: Path) -> None:
    entries = [entry(action_idx=n) for n in range(18)] + [entry(action_idx=18, noun="anchor")]
    assert _read(tmp_path, entries).rejects.num_rows == 1
    with pytest.raises(InputError) as error:
        _read(tmp_path, [*entries, entry(action_idx=19, verb_label=9), entry(action_idx=20, verb_label=9)])
    assert str(error.value) == (
        f"{tmp_path / FILES['val']}: 3 of 21 entries do not agree with {TAXONOMY}, the first is entry 19: noun_label 3 "
        "is 'rope_ladder' in the taxonomy, the entry says 'anchor'. The two files are of different versions of Ego4D; "
        "take both from one download."
    )


def test_a_file_of_another_split_under_this_name_is_refused(tmp_path: Path) -> None:
    write_ego4d(tmp_path, {"train": [entry()]})
    (tmp_path / FILES["train"]).rename(tmp_path / FILES["val"])
    with pytest.raises(InputError) as error:
        Ego4dReader(tmp_path).read("val")
    assert str(error.value) == (
        f"{tmp_path / FILES['val']}: by its content it is split 'train', by its name val; "
        "expected the file as released."
    )


def test_a_file_without_a_list_of_clips_is_refused_with_what_it_has(tmp_path: Path) -> None:
    file = write_json(write_ego4d(tmp_path) / FILES["val"], {"version": "v2", "videos": []})
    with pytest.raises(InputError) as error:
        Ego4dReader(tmp_path).read("val")
    assert str(error.value) == (
        f"{file}: no list 'clips' in it, found version, videos; expected an fho_lta file of Ego4D as it was downloaded."
    )


def test_a_download_cut_short_says_so(tmp_path: Path) -> None:
    file = write_ego4d(tmp_path) / FILES["val"]
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match=r"fho_lta_val\.json: the JSON breaks off after \d+ characters"):
        Ego4dReader(tmp_path).read("val")


def test_missing_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder\. It is the folder v2/annotations of the ego4d"):
        Ego4dReader(tmp_path / "nowhere")
    folder = write_ego4d(tmp_path, {"train": [entry()], "test": [unannotated(entry())]})
    with pytest.raises(InputError) as error:
        Ego4dReader(folder).read("val")
    assert str(error.value) == f"{folder / FILES['val']}: not found. Splits with a file in this folder: train, test."
    (folder / TAXONOMY).unlink()
    with pytest.raises(InputError, match=r"fho_lta_taxonomy\.json: not found\. It comes with the other files"):
        Ego4dReader(folder).read("train")


def test_tables_have_the_manifest_schemas_even_without_an_entry(tmp_path: Path) -> None:
    rows = _read(tmp_path, [])
    assert (rows.clips.schema, rows.rejects.schema) == (CLIPS, REJECTS)
    assert rows.clips.num_rows == rows.rejects.num_rows == 0


@pytest.mark.parametrize("place", ["v2/annotations/ego4d.json", "v2/ego4d.json", "ego4d.json"])
def test_the_metadata_is_found_up_to_two_folders_above_and_is_one_of_the_files(tmp_path: Path, place: str) -> None:
    folder = write_ego4d(tmp_path / "v2" / "annotations")
    reader = Ego4dReader(folder)
    assert [file.name for file in reader.files("val")] == [FILES["val"], TAXONOMY]
    assert _NO_METADATA in reader.read("val").findings
    file = write_metadata(tmp_path / place, {})
    reader = Ego4dReader(folder)
    assert reader.files("val") == [folder / FILES["val"], folder / TAXONOMY, file]
    assert _NO_METADATA not in reader.read("val").findings


@pytest.mark.parametrize("stretch", [(100.0, 200.0), (122.0, 126.0), (125.0, 126.0)])
def test_a_clip_wholly_in_a_blank_stretch_of_the_recording_is_rejected(
    tmp_path: Path, stretch: tuple[float, float]
) -> None:
    write_metadata(tmp_path / "ego4d.json", {"recording-1": [(120.0, 125.0), stretch]})
    rows = _read(tmp_path, [entry(), entry("b", video_uid="recording-2")], 4.0)
    assert rows.clips.column("clip_id").to_pylist() == ["b_0"]
    (reject,) = rows.rejects.to_pylist()
    assert (reject["row"], reject["clip_id"], reject["reason"]) == (1, "clip-a_0", "redacted")
    assert reject["detail"] == "22.0 to 26.0 s of the clip are blank by ego4d.json"


def test_a_clip_partly_blank_is_kept_and_counted_and_what_the_window_leaves_out_does_not_matter(tmp_path: Path) -> None:
    write_metadata(tmp_path / "ego4d.json", {"recording-1": [(126.0, 130.0)]})
    rows = _read(tmp_path, [entry(), entry("b", video_uid="recording-2")], 8.0)
    assert rows.clips.num_rows == 2
    assert rows.findings == ["Segments that are blank in part by ego4d.json, kept: 1."]
    assert "blank" not in " ".join(_read(tmp_path, [entry()], 4.0).findings)


def test_clips_that_ego4d_does_not_serve_are_named(tmp_path: Path) -> None:
    write_metadata(tmp_path / "ego4d.json", {})
    missing = "440656ae-cb82-464e-b320-25c8e693ad84"
    assert _read(tmp_path, [entry(missing, 0), entry(missing, 1), entry("b")]).findings == [
        f"Segments of {missing}, a clip that Ego4D does not serve (facebookresearch/Ego4d, issue 286); "
        "only the full-scale video has them: 2."
    ]


def test_a_preset_or_a_number_of_seconds_gives_the_window() -> None:
    assert [window_of(*given) for given in ((None, None), ("official", None), ("paper", None), (None, 6.0))] == [
        4.0,
        4.0,
        None,
        6.0,
    ]
    with pytest.raises(UsageError, match=r"--preset paper --window 6.0: expected one of the two"):
        window_of("paper", 6.0)
    with pytest.raises(UsageError, match=r"--preset peper: expected official or paper"):
        window_of("peper", None)
