"""Decoding all of a video once counts its frames and its damage, and decode recalls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.look_through import LookedThrough, look_through, looked_through_key, recalled, text_of
from pipelines.decode.media_rules import USUAL
from pipelines.engine import stage
from pipelines.engine.file_memory import FileMemory
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from pipelines.prepare.check.run import check
from tests.pipelines.decode.test_gone_videos import decoding
from tests.video_maker import damage, draw_frame


def _seen(path: Path, kind: str = "video") -> LookedThrough:
    return look_through((str(path), kind, USUAL), lambda: None)  # type: ignore[arg-type]


def test_a_whole_video_has_no_damage(tmp_path: Path, make_video: Callable[..., int]) -> None:
    make_video(tmp_path / "a.mp4", fps=25, seconds=2)
    found = _seen(tmp_path / "a.mp4")
    assert found == LookedThrough(50, 0, pytest.approx(2.0), [], [])
    assert found.damage is None


def test_frames_up_to_the_next_key_frame_are_lost_and_told(tmp_path: Path, make_video: Callable[..., int]) -> None:
    make_video(tmp_path / "a.mp4", fps=25, seconds=2, gop=10, b_frames=0)
    damage(tmp_path / "a.mp4", tmp_path / "a.mp4", [12])
    found = _seen(tmp_path / "a.mp4")
    assert (found.frames, found.lost) == (42, 8)
    assert found.spans == [[pytest.approx(0.48), pytest.approx(0.76)]]
    assert found.damage == "8 of 50 frames are damaged, the first at 0.480 s"


def test_pictures_are_counted_by_number(tmp_path: Path) -> None:
    data = to_jpeg(draw_frame(1, (64, 48)), 90)
    for number in (1, 2, 3, 4, 7):
        (tmp_path / f"frame_{number}.jpg").write_bytes(data[:-50] if number in (2, 3, 7) else data)
    found = _seen(tmp_path, "frames")
    assert found == LookedThrough(2, 3, None, [[2, 3], [7, 7]])
    assert found.damage == "3 of 5 frames are damaged, the first at frame 2"


def test_a_chunk_that_cannot_be_read_is_named_and_the_others_are_counted(
    tmp_path: Path, make_video: Callable[..., int]
) -> None:
    for start in (0, 2, 4):
        make_video(tmp_path / f"{start}.mp4", fps=10, seconds=2, gop=10, b_frames=0)
    damage(tmp_path / "4.mp4", tmp_path / "4.mp4", [15])
    (tmp_path / "2.mp4").write_bytes(b"")
    found = _seen(tmp_path, "chunks")
    assert (found.frames, found.lost, found.duration_s) == (35, 5, pytest.approx(6.0))
    assert found.spans == [[pytest.approx(5.5), pytest.approx(5.9)]]
    assert found.damage == (
        f"{tmp_path / '2.mp4'}: the file is empty (0 bytes); get it again; "
        "5 of 40 frames are damaged, the first at 5.500 s"
    )


def test_what_was_seen_is_forgotten_when_the_file_changes(tmp_path: Path, make_video: Callable[..., int]) -> None:
    make_video(tmp_path / "a.mp4", fps=10, seconds=1)
    memory, found = FileMemory(tmp_path / "memory"), LookedThrough(3, 1, 0.4, [[0.1, 0.1]], ["x"])
    memory.put(looked_through_key("video", tmp_path / "a.mp4"), text_of(found))
    assert recalled(FileMemory(tmp_path / "memory"), "video", tmp_path / "a.mp4") == found
    with (tmp_path / "a.mp4").open("ab") as file:
        file.write(b"x")
    assert recalled(memory, "video", tmp_path / "a.mp4") is None


class _Notes(Silent):
    """Keep what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_decode_says_what_the_deep_check_saw(tmp_path: Path, make_video: Callable[..., int]) -> None:
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        make_video(tmp_path / "videos" / f"{name}.mp4", fps=25, seconds=2, gop=10, b_frames=0)
    damage(tmp_path / "videos" / "a.mp4", tmp_path / "videos" / "a.mp4", [12])
    decode = decoding(tmp_path, ["a.mp4,0.4,0.8", "a.mp4,1,1.2", "b.mp4,0,1"])
    found = check(decode.workspace, "mine", ["val"], 1, Silent(), deep=True)["val"]
    assert (found.videos["ok"], found.videos["damaged"], found.clips["damaged"]) == (1, 1, 1)
    assert found.problems[0]["detail"] == "8 of 50 frames are damaged, the first at 0.480 s"
    assert found.decoded["b.mp4"] == {"frames": 50, "lost": 0, "duration_s": 2.0, "spans": [], "unreadable": []}
    notes = _Notes()
    stage.run(decode, RunPolicy(max_failures=100), notes)
    said = [note for note in notes.said if "--deep" in note]
    assert said == [f"a.mp4: {found.problems[0]['detail']}, as seen by --check --deep of xmic prepare"]


def test_a_second_deep_check_decodes_nothing(
    tmp_path: Path, make_video: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "a.mp4", fps=10, seconds=1)
    decode = decoding(tmp_path, ["a.mp4,0,1"])
    first = check(decode.workspace, "mine", ["val"], 1, Silent(), deep=True)
    monkeypatch.setattr("pipelines.prepare.check.run.run_killable", lambda function, tasks, **others: list(tasks))
    assert check(decode.workspace, "mine", ["val"], 1, Silent(), deep=True) == first
