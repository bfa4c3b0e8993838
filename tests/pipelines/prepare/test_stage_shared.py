from __future__ import annotations

from pathlib import Path

from data_manifests.readers import Reader
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import Prepared, prepare
from tests.data_manifests.epic_files import row, write_epic


def _prepare(work: Path, reader: Reader, *splits: str) -> Prepared:
    return prepare(Workspace.open(work), "mine", reader, [], splits=splits)


def test_train_and_val_with_the_same_clips_are_told_for_every_reader(tmp_path: Path) -> None:
    rows = [row("P90_01_0"), row("P90_01_1", start_timestamp="00:00:02.00")]
    reader = EpicReader(write_epic(tmp_path / "csv", {"train": rows, "val": rows[:1]}))
    told = ["1 of 1 clips are clips of train too, by video, start and stop; the first is P90_01_0"]
    found = _prepare(tmp_path / "epic", reader)
    assert (found.splits["train"]["findings"], found.splits["val"]["findings"]) == ([], told)
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text("video,start_s,stop_s\na.mp4,0,1\n")
    tables = [(tmp_path / f"{name}.csv", name) for name in ("train", "val")]
    found = _prepare(tmp_path / "table", TableReader(tables))
    assert found.splits["val"]["findings"][0].startswith("1 of 1 clips are clips of train too")


def test_a_split_prepared_before_is_compared_too(tmp_path: Path) -> None:
    reader = EpicReader(write_epic(tmp_path / "csv", {"train": [row()], "val": [row()]}))
    assert _prepare(tmp_path / "work", reader, "train").splits["train"]["findings"] == []
    found = _prepare(tmp_path / "work", reader, "val")
    assert len(found.splits["val"]["findings"]) == 1
    assert list(found.splits) == ["val"]
