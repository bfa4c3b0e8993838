"""A sample of the flipped bits; python -m tests.reliability.silent_damage writes the table of docs/media.md."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.silent_damage import count_jpegs, count_video


def test_the_strict_mode_lets_less_damage_through(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    video, jpegs = count_video("HEVC", 12, 0, tmp_path / "video"), count_jpegs(40, 0, tmp_path / "jpegs")
    assert (video.flips, jpegs.flips) == (12, 40)
    assert video.strict <= video.silent < 12
    assert 0 < jpegs.strict < jpegs.silent < 40
