from __future__ import annotations

from pathlib import Path

from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from pipelines.chain.readers import reader_of, roots_of
from pipelines.prepare.options import EpicOptions, TableOptions
from tests.data_manifests.epic_files import write_epic


def test_options_give_the_reader_they_belong_to(tmp_path: Path) -> None:
    write_epic(tmp_path / "csv")
    reader = reader_of(EpicOptions(annotations=tmp_path / "csv", pattern=("{participant_id}/{video_id}.webm",)))
    assert isinstance(reader, EpicReader)
    assert [place.path for place in reader.video_places("P90_01")] == ["P90/P90_01.webm"]
    (tmp_path / "clips.csv").write_text("video,split\na.mp4,val\n")
    table = TableOptions(name="x", files=(str(tmp_path / "clips.csv"),))
    assert isinstance(reader_of(table), TableReader)


def test_the_videos_of_a_table_lie_beside_it_unless_a_folder_is_named(tmp_path: Path) -> None:
    table = TableOptions(name="x", files=(f"val={tmp_path}/clips.csv",))
    assert roots_of(table) == [tmp_path]
    named = TableOptions(name="x", files=(f"val={tmp_path}/clips.csv",), videos=(tmp_path / "videos",))
    assert roots_of(named) == (tmp_path / "videos",)
    assert roots_of(EpicOptions(annotations=tmp_path)) == ()
