from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_manifests.errors import InputError, UsageError
from data_manifests.readers.holdout import Classes, Holdout, hold_out
from data_manifests.readers.table import TableReader
from data_manifests.schema import Label


def clips(recordings: Mapping[str, Sequence[str]]) -> list[tuple[str, Classes]]:
    """Clips of recordings, a letter per noun."""
    noun: Label = "noun"
    return [(name, frozenset([(noun, letter)])) for name, letters in recordings.items() for letter in letters]


def test_whole_recordings_are_held_out_near_the_share_and_every_class_stays_in_training() -> None:
    recordings = {f"r{number}": "abcd" for number in range(9)} | {"only": "z" * 4}
    found = hold_out(clips(recordings), Holdout(20))
    assert len(found.chosen) == 2
    assert "only" not in found.chosen
    assert (found.held_clips, found.clips, found.recordings) == (8, 40, 10)
    assert found.held < found.kept


def test_the_choice_follows_from_the_seed_alone() -> None:
    recordings = {f"r{number}": "ab" for number in range(12)}
    chosen = [hold_out(clips(recordings), Holdout(25, seed)).chosen for seed in (0, 0, 1, 2, 3)]
    backwards = hold_out(clips(dict(reversed(recordings.items()))), Holdout(25)).chosen
    assert chosen[0] == chosen[1] == backwards
    assert len(set(chosen)) > 1


def test_recordings_with_more_classes_are_preferred() -> None:
    recordings = {"all": "abcd", "a1": "aaaa", "a2": "aaaa", "rest1": "abcd", "rest2": "bcda"}
    found = hold_out(clips(recordings), Holdout(20))
    assert len(found.held) == 4


def test_classes_that_lack_clips_are_named() -> None:
    found = hold_out(clips({"r1": "ab", "r2": "ab", "r3": "abc"}), Holdout(30))
    first, second = found.sentences()
    assert first.startswith("held out 1 of 3 recordings: r")
    assert first.endswith("(2 of 7 clips, 29 %; --holdout 30%, seed 0)")
    assert second == "nouns without a held-out clip: c"
    apart = hold_out(clips({"r1": "a", "r2": "b"}), Holdout(50))
    assert len(apart.chosen) == 1
    assert any("held out and without a training clip: " in line for line in apart.sentences())


def test_one_recording_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"all 3 clips are of one recording \(r1\)\. .* look alike, .* column split"):
        hold_out(clips({"r1": "abc"}), Holdout(20))


@pytest.mark.parametrize("written", ["0", "100%", "many", "-5%", "nan"])
def test_what_is_no_share_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match=f"--holdout {written}: expected a percentage above 0 and below 100"):
        Holdout.parse(written)


def test_a_share_is_a_percentage_or_a_number() -> None:
    assert Holdout.parse(" 20% ") == Holdout.parse("20") == Holdout.parse(20.0)


@given(
    st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.text("abcd", min_size=1, max_size=6), min_size=2),
    st.floats(1, 99),
)
def test_some_recording_is_held_out_and_some_is_kept(recordings: dict[str, str], percent: float) -> None:
    found = hold_out(clips(recordings), Holdout(percent))
    assert 0 < len(found.chosen) < len(recordings)
    assert found.held_clips == sum(len(recordings[name]) for name in found.chosen)
    # A class is lost to training only where the first recording could not be chosen otherwise.
    if found.held - found.kept:
        assert len(found.chosen) == 1


def table(folder: Path, head: str, *rows: str) -> Path:
    file = folder / "clips.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_a_table_without_splits_gets_train_and_val_and_says_which(tmp_path: Path) -> None:
    file = table(tmp_path, "video,noun", *(f"{video}.mp4,cup" for video in "aabbccddee"))
    reader = TableReader([(file, None)], holdout=Holdout(20))
    assert reader.splits() == ["train", "val"]
    videos = {split: set(reader.read(split).clips.column("video_id").to_pylist()) for split in ("train", "val")}
    assert len(videos["val"]) == 1
    assert videos["train"] | videos["val"] == {f"{video}.mp4" for video in "abcde"}
    assert not videos["train"] & videos["val"]
    (said,) = (line for line in reader.read("val").findings if line.startswith("held out"))
    assert said == f"held out 1 of 5 recordings: {videos['val'].pop()} (2 of 10 clips, 20 %; --holdout 20%, seed 0)"
    assert reader.parameters["holdout"] == {"percent": 20, "seed": 0}


def test_files_of_one_recording_stay_together(tmp_path: Path) -> None:
    rows = (f"{number}.mp4,day{number // 2}" for number in range(10))
    reader = TableReader([(table(tmp_path, "video,recording_id", *rows), None)], holdout=Holdout(20))
    assert reader.read("val").clips.num_rows == 2
    assert len(set(reader.read("val").clips.column("recording_id").to_pylist())) == 1


def test_rows_that_are_rejected_do_not_count(tmp_path: Path) -> None:
    rows = ("a.mp4,0,1", "b.mp4,0,1", "c.mp4,0,soon", "c.mp4,2,1", "../d.mp4,0,1")
    reader = TableReader([(table(tmp_path, "video,start_s,stop_s", *rows), None)], holdout=Holdout(50))
    found = {split: reader.read(split) for split in reader.splits()}
    assert [found[split].clips.num_rows for split in ("train", "val")] == [1, 1]
    assert found["train"].rejects.num_rows == 3
    assert found["val"].findings[0].startswith("held out 1 of 2 recordings: ")


def test_splits_of_the_users_own_and_a_holdout_contradict_each_other(tmp_path: Path) -> None:
    file = table(tmp_path, "video,split", "a.mp4,train", "b.mp4,val")
    with pytest.raises(UsageError, match=r"train=.*clips.csv and --holdout: --holdout chooses the splits itself"):
        TableReader([(file, "train")], holdout=Holdout(20))
    with pytest.raises(InputError, match=r"row 2: split 'train', and --holdout chooses .* --column split="):
        TableReader([(file, None)], holdout=Holdout(20)).splits()


def test_a_table_without_these_options_has_the_parameters_that_it_always_had(tmp_path: Path) -> None:
    reader = TableReader([(table(tmp_path, "video", "a.mp4"), "train")])
    assert set(reader.parameters) == {"reader", "columns", "splits"}
    assert set(reader.parameters["columns"]) == {
        *("video", "start_s", "stop_s", "start_frame", "stop_frame", "verb", "noun", "all_nouns", "split"),
        *("narration", "clip_id", "participant_id", "recording_id"),
    }
