from __future__ import annotations

import pyarrow as pa
import pytest

from data_manifests.errors import UsageError
from data_manifests.schema import CLASSES, CLIPS, REJECT_REASONS, REJECTS, SPLITS, VIDEOS, canonical_split


@pytest.mark.parametrize(
    ("given", "split"),
    [
        ("train", "train"),
        ("val", "val"),
        ("test", "test"),
        ("validation", "val"),
        (" Validation ", "val"),
        ("VAL", "val"),
    ],
)
def test_validation_is_an_alias_and_case_does_not_matter(given: str, split: str) -> None:
    assert canonical_split(given) == split
    assert split in SPLITS


@pytest.mark.parametrize("given", ["", "dev", "training", "val2"])
def test_any_other_split_is_refused_with_the_names_there_are(given: str) -> None:
    with pytest.raises(UsageError) as error:
        canonical_split(given)
    assert str(error.value) == f"split {given!r}: expected train, val (or validation) or test"
    assert error.value.exit_code == 2


def test_the_manifest_keeps_seconds_as_float64_and_class_ids_as_int32() -> None:
    assert {CLIPS.field(name).type for name in ("start_s", "stop_s")} == {pa.float64()}
    assert {CLIPS.field(name).type for name in ("noun_class", "verb_class")} == {pa.int32()}
    assert CLIPS.field("all_noun_classes").type == pa.list_(pa.int32())
    assert VIDEOS.names == ["video_id", "path", "kind", "offset_s", "clips", "duration_s", "fps", "jpeg_rate"]
    assert REJECTS.names == ["file", "row", "clip_id", "reason", "detail"]
    assert CLASSES.names == ["class_id", "key", "name", "fixed", "synonyms"]


def test_every_reject_reason_is_explained_in_words() -> None:
    assert set(REJECT_REASONS) == {
        "not_positive_duration",
        "bad_time",
        "unknown_class",
        "duplicate_id",
        "unsafe_path",
        "bad_cell",
        "missing_value",
        "duplicate_row",
        "redacted",
    }
    assert all(len(words.split()) >= 4 for words in REJECT_REASONS.values())
