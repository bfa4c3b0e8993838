from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.shards import read_rows
from xmic_cli.app import run


def test_a_pattern_says_where_the_videos_lie(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "videos" / "film-P90_02.webm").touch()
    arguments = ["prepare", "epic", "--annotations", "csv", "--videos", "videos", "--split", "train"]
    assert run([*arguments, "--pattern", "film-{video_id}.webm", "--pattern", "{video_id}.mp4"]) == 0
    rows = read_rows(here / "xmic-work/manifests/epic/train/videos.parquet").to_pylist()
    assert [row["path"] for row in rows] == ["P90_01.MP4", "film-P90_02.webm"]
    assert run([*arguments, "--pattern", "{film}.mp4"]) == 2
    assert "--pattern {film}.mp4: expected a path below a video root with {participant_id}" in capsys.readouterr().err
