from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.decode.media_rules import USUAL
from pipelines.prepare.check.cut_off import cut_in_packet
from pipelines.prepare.check.probe import probe
from pipelines.prepare.check.verdict import judge

VIDEO = {"offset_s": None, "duration_s": None}


def _whole(folder: Path, video_maker, name: str) -> Path:
    video_maker.make_video(folder / name, codec="mpeg2video", seconds=3)
    return folder / name


@pytest.mark.parametrize(
    ("name", "form"), [("a.ts", "mpegts"), ("a.m2ts", "mpegts"), ("a.mpg", "mpeg"), ("a.vob", "mpeg")]
)
@pytest.mark.parametrize("lost", [1, 97, 1501])
def test_a_file_that_ends_in_a_packet_is_named_with_both_numbers(
    tmp_path: Path, video_maker, name: str, form: str, lost: int
) -> None:
    whole = _whole(tmp_path, video_maker, name)
    assert cut_in_packet(whole, form) is None
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(whole.read_bytes()[:-lost])
    assert "bytes into a packet of" in (cut_in_packet(cut, form) or "")


def test_check_lists_it_as_incomplete(tmp_path: Path, video_maker) -> None:
    whole = _whole(tmp_path, video_maker, "a.ts")
    assert judge(VIDEO, [], probe((str(whole), "video", USUAL), lambda: None)).status == "ok"
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole.read_bytes()[:-1000])
    found = judge(VIDEO, [], probe((str(cut), "video", USUAL), lambda: None))
    assert found.status == "incomplete"
    assert found.detail == "the file ends 128 bytes into a packet of 188 bytes, so it is cut off; get it again"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_other_kinds_are_not_looked_at(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"G" * 1000)
    assert cut_in_packet(tmp_path / name, "mov,mp4,m4a,3gp,3g2,mj2") is None


@pytest.mark.parametrize("form", ["mpegts", "mpeg"])
@pytest.mark.parametrize("content", [b"", b"G", b"no packets" * 500, b"\0\0\1", b"\0\0\1\xba" + b"\0" * 5000])
def test_of_bytes_without_packets_nothing_is_said(tmp_path: Path, form: str, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert cut_in_packet(tmp_path / "x", form) is None


def test_bytes_before_the_first_packet_and_padding_at_the_end_are_no_cut(tmp_path: Path, video_maker) -> None:
    ts, ps = _whole(tmp_path, video_maker, "a.ts"), _whole(tmp_path, video_maker, "a.mpg")
    (tmp_path / "late.ts").write_bytes(b"x" * 77 + ts.read_bytes())
    (tmp_path / "padded.mpg").write_bytes(ps.read_bytes() + b"\0" * 512)
    assert cut_in_packet(tmp_path / "late.ts", "mpegts") is None
    assert cut_in_packet(tmp_path / "padded.mpg", "mpeg") is None
