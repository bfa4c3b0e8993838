"""The comparison of decoders: its frames are the wanted ones, and no rival is left out unseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import decode_peers
from benchmarks.decode_peers import RIVALS, VIDEOS, Work, limit, plainly_decoded, row_of, wanted_clips, wrong_frames


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    decode_peers.write_video(path, VIDEOS[0], 4)
    return Work(path, VIDEOS[0], wanted_clips(4, 1), 1)


def test_quick_measures_xmic_beside_opencv_and_names_the_peers_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only = {name: ("no_such_package", RIVALS[name][1]) for name in ("torchcodec", "decord")}
    monkeypatch.setattr(decode_peers, "RIVALS", {**RIVALS, **only})
    monkeypatch.setattr(decode_peers, "CLIP_EVERY_S", 1.8)  # one clip
    monkeypatch.setattr("sys.argv", ["decode_peers", "--quick"])
    assert decode_peers.main() == 0
    printed = capsys.readouterr().out
    assert "torchcodec: not installed" in printed
    assert "decord: not installed" in printed
    rows = [line for line in printed.splitlines() if line.startswith("| 256p")]
    assert [row.count("missing") for row in rows] == [2, 2]
    assert all("(OpenCV)" in row and "wrong" not in row for row in rows)


def test_numbers_of_a_quick_run_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["decode_peers", "--quick", "--report", str(tmp_path / "page.md")])
    assert decode_peers.main() == 2
    assert "leave one of them out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_neighbour_of_the_wanted_frame_counts_as_wrong(work: Work) -> None:
    expected = plainly_decoded(work)
    neighbours = Work(work.path, work.video, [[number + 1 for number in work.clips[0]]], 1)
    assert wrong_frames(iter(expected), expected) == 0
    assert wrong_frames(iter(plainly_decoded(neighbours)), expected) == len(expected)
    assert wrong_frames(iter(expected[:-1]), expected) == 1
    assert wrong_frames(iter([np.zeros((1, 1, 3), np.uint8)]), expected) == len(expected)


def test_the_limit_decodes_every_wanted_frame(work: Work) -> None:
    decode = limit(work)
    count = decode()
    assert count >= len(work.clips[0])
    assert decode() == count


def test_a_peer_with_wrong_frames_is_not_the_best(work: Work) -> None:
    seconds = {"limit": 1.0, "xmic": 2.0, "OpenCV": 1.0, "decord": 3.0}
    row = row_of(work, seconds, {"xmic": 0, "OpenCV": 5, "decord": 0})
    assert row[-2:] == ["0.50", "1.50 × (decord)"]
    assert "1.00 (5 wrong)" in row
