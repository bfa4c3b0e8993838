from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from data_manifests.readers.egtea import EgteaReader
from data_manifests.schema import CLIPS
from data_manifests.videos import Place
from pipelines.plugin_check.promise import try_all
from pipelines.plugin_check.reader import promises
from tests.data_manifests.egtea_files import line, write_egtea


class Good(EgteaReader):
    name = "own"


class OtherSplits(Good):
    def splits(self):
        return ["test", "dev"]


class Loose(Good):
    """Changes the rows that a good one reads."""

    change: dict

    def read(self, split):
        rows = super().read(split)
        made = [{**row, **self.change} for row in rows.clips.to_pylist()]
        return replace(rows, clips=pa.Table.from_pylist(made, schema=CLIPS))


class SameIds(Loose):
    change = {"clip_id": "one"}  # noqa: RUF012


class Backwards(Loose):
    change = {"start_s": 3.0, "stop_s": 2.0}  # noqa: RUF012


class NoSuchClass(Loose):
    change = {"noun_class": 99}  # noqa: RUF012


class NoRecording(Loose):
    change = {"recording_id": None}  # noqa: RUF012


class OwnColumns(Good):
    def read(self, split):
        rows = super().read(split)
        return replace(rows, clips=rows.clips.drop_columns(["narration"]))


class LeavesRoots(Good):
    def video_places(self, video_id):
        return [Place("../elsewhere.mp4")]


class NoFiles(Good):
    def files(self, split):
        return []


@pytest.fixture
def annotations(tmp_path):
    return write_egtea(tmp_path / "a", {"train_split1": [line(1), line(2)], "test_split1": [line(3), "x 1"]})


def test_a_good_one_keeps_all(annotations):
    found = try_all(promises(f"{__name__}:Good", annotations, {"empty_class": False}))
    assert [item for item in found if not item.kept] == []


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("OtherSplits", "splits are ['test', 'dev']"),
        ("SameIds", "a clip id comes twice"),
        ("Backwards", "3.0 to 2.0 s"),
        ("NoSuchClass", "noun class [99], of 5 classes"),
        ("NoRecording", "a clip has no recording_id"),
        ("OwnColumns", "other columns than data_manifests.schema.CLIPS"),
        ("LeavesRoots", "would lie at ['../elsewhere.mp4']"),
        ("NoFiles", "no file for train"),
    ],
)
def test_each_broken_promise_is_found_and_explained(annotations, name, detail):
    found = try_all(promises(f"{__name__}:{name}", annotations))
    broken = [item.detail for item in found if item.kept is False]
    assert detail in broken[0], broken
