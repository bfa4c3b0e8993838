"""A sample of the damaged media; python -m tests.reliability.media decodes many more of more kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import media
from tests.reliability.media import Outcome, peaks, run_kind

_MUTANTS = 8


@pytest.mark.parametrize("kind", ["H.264 in MP4", "VP9 in WebM", "JPEGs in a tar"])
def test_a_damaged_video_gives_frames_of_ffmpeg_or_reasons(kind: str, tmp_path: Path) -> None:
    with peaks(tmp_path) as peak:
        found = run_kind(kind, _MUTANTS, 0, tmp_path / "kind")
    assert found.wrong == []
    assert found.mutants == _MUTANTS
    assert found.frames
    assert sum(found.reasons.values())
    assert 0 < peak() < 1000


def test_a_frame_that_ffmpeg_does_not_show_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "damaged", lambda data, dice: data)
    whole = {name: (set[str](), 100, set[int]()) for name in ("good", "0000.mp4")}
    monkeypatch.setattr(media, "_decoded_plainly", lambda files: whole)
    with peaks(tmp_path):
        found: Outcome = run_kind("H.264 in MP4", 1, 0, tmp_path / "kind")
    assert len(found.wrong) == found.frames == 6
    assert "is not one of FFmpeg's" in found.wrong[0]
