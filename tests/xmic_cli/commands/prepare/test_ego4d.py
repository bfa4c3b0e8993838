from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.shards import read_rows
from tests.data_manifests.ego4d_files import entry, write_ego4d
from xmic_cli.app import run

_Capture = pytest.CaptureFixture[str]
_EGO4D = ["prepare", "ego4d", "--annotations", "fho", "--videos", "videos"]


@pytest.fixture
def fho(here: Path) -> Path:
    """Two segments of one clip and one of another, of which only the first has a file."""
    segments = [entry("clip-a", 0), entry("clip-a", 1, action_clip_start_sec=22.0, action_clip_end_sec=30.0)]
    write_ego4d(here / "fho", {"val": [*segments, entry("clip-b")]})
    (here / "videos" / "v2" / "full_scale").mkdir(parents=True)
    (here / "videos" / "v2" / "clips").mkdir()
    (here / "videos" / "v2" / "clips" / "clip-a.mp4").touch()
    return here


def _starts(here: Path) -> list[tuple[float, float]]:
    clips = read_rows(here / "xmic-work/manifests/ego4d/val/clips.parquet").to_pylist()
    return [(clip["start_s"], clip["stop_s"]) for clip in clips]


def test_the_window_is_the_central_four_seconds_all_eight_or_another(fho: Path, capsys: _Capture) -> None:
    assert run(_EGO4D) == 0
    assert _starts(fho)[0] == (22.0, 26.0)
    assert run([*_EGO4D, "--preset", "paper"]) == 0
    assert _starts(fho)[0] == (20.0, 28.0)
    assert run([*_EGO4D, "--window", "2"]) == 0
    assert _starts(fho)[0] == (23.0, 25.0)
    capsys.readouterr()
    assert run([*_EGO4D, "--window", "2", "--preset", "paper"]) == 2
    assert "--preset paper --window 2.0: expected one of the two" in capsys.readouterr().err


def test_missing_clips_are_listed_one_a_line_as_the_uid_file_of_the_cli_has_them(fho: Path, capsys: _Capture) -> None:
    assert run([*_EGO4D, "--list-needed"]) == 0
    assert capsys.readouterr().out == "clip-b\n"


def test_the_recording_serves_where_its_clip_is_not_there(fho: Path, capsys: _Capture) -> None:
    assert run(_EGO4D) == 0
    clips = _starts(fho)
    (fho / "videos" / "v2" / "full_scale" / "recording-1.mp4").touch()
    assert run(_EGO4D) == 0
    videos = read_rows(fho / "xmic-work/manifests/ego4d/val/videos.parquet").to_pylist()
    assert [(video["path"], video["offset_s"]) for video in videos] == [
        ("v2/clips/clip-a.mp4", 0.0),
        ("v2/full_scale/recording-1.mp4", 100.0),
    ]
    assert _starts(fho) == clips, "another download changes no clip"
