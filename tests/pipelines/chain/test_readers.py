from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from pipelines.chain.config import DatasetSection
from pipelines.chain.readers import reader_of
from tests.data_manifests.epic_files import write_epic


def test_a_section_gives_the_reader_it_names(tmp_path: Path) -> None:
    write_epic(tmp_path / "csv")
    epic = DatasetSection(
        name="x", reader="epic", annotations=tmp_path / "csv", patterns=["{participant_id}/{video_id}.webm"]
    )
    reader = reader_of(epic)
    assert isinstance(reader, EpicReader)
    assert [place.path for place in reader.video_places("P90_01")] == ["P90/P90_01.webm"]
    (tmp_path / "clips.csv").write_text("video,split\na.mp4,val\n")
    table = DatasetSection(name="x", reader="table", files=[str(tmp_path / "clips.csv")])
    assert isinstance(reader_of(table), TableReader)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"reader": "epic"}, r'x: reader epic needs annotations = "FOLDER"'),
        ({"reader": "ego4d"}, r'x: reader ego4d needs annotations = "FOLDER"'),
        ({"reader": "egtea"}, r'x: reader egtea needs annotations = "FOLDER"'),
        ({"reader": "table"}, r"x: reader table needs files = "),
        ({"reader": "epic", "window": 4.0}, r"x: reader epic takes no window; it takes annotations, patterns\."),
        ({"reader": "table", "drop_empty_class": True}, r"x: reader table takes no drop_empty_class"),
    ],
)
def test_a_key_that_is_missing_or_of_another_reader_is_said(keys: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reader_of(DatasetSection(name="x", **keys))
