from __future__ import annotations

import numpy as np
import pytest

from pipelines.decode.encode_jpeg import from_jpeg
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.source import LostFrame
from pipelines.decode.video_source import VideoSource
from pipelines.engine.clips import Clip

PLAN = FramePlan(segments=4, candidates=1, short_side=0)


def _nothing() -> None:
    pass


def test_a_video_inside_a_longer_file_is_read_from_where_it_begins(video, video_maker):
    clip = Clip("a", 0.0, 1.0)
    with VideoSource(video("h264.mp4"), 0.5, _nothing) as source:
        chosen = source.choose(clip, PLAN)
        frames = {frame.pts: frame for frame in source.frames(chosen.pts.flat, PLAN)}
    taken = [frames[int(pts)] for pts in chosen.pts.flat]
    # Centres at 0.125, 0.375, 0.625, 0.875 s of a video that begins half a second late, at 30 frames per second.
    assert [video_maker.read_number(from_jpeg(frame.jpeg)) for frame in taken] == [19, 26, 34, 41]
    assert [frame.time_s for frame in taken] == pytest.approx([n / 30 - 0.5 for n in (19, 26, 34, 41)])


def test_an_open_end_and_the_end_of_the_file_count_from_where_the_video_begins(video):
    with VideoSource(video("h264.mp4"), 1.5, _nothing) as source:
        to_the_end = source.choose(Clip("a", 0.0, None), PLAN)
        beyond = source.choose(Clip("b", 0.25, 1.25), PLAN)
        after = source.choose(Clip("c", 1.0, None), PLAN)
    assert NO_FRAME not in to_the_end.pts
    assert not to_the_end.failures
    assert np.count_nonzero(beyond.pts == NO_FRAME) == beyond.failures[0].rows == 3
    assert beyond.failures[0].error.endswith("are past the end of the video at 0.500 s")
    assert after.failures[0].error == "the clip starts at 1.000 s, the video ends at 0.500 s"
    assert (after.pts == NO_FRAME).all()


def test_a_damaged_frame_is_lost_and_said(tmp_path, video_maker):
    video_maker.make_video(tmp_path / "good.mp4", b_frames=0)
    video_maker.damage(tmp_path / "good.mp4", tmp_path / "bad.mp4", [30])
    with VideoSource(tmp_path / "bad.mp4", 0.0, _nothing) as source:
        chosen = source.choose(Clip("a", 0.0, 2.0), FramePlan(segments=60, candidates=1, short_side=0))
        frames = list(source.frames(chosen.pts.flat, PLAN))
    lost = [frame for frame in frames if isinstance(frame, LostFrame)]
    assert lost
    assert all(frame.failure.reason == "decode_error" for frame in lost)
    assert f"pts {lost[0].pts} is damaged" in lost[0].failure.error


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG"), ("bt709", None)])
def test_hdr_frames_are_stored_as_they_are_and_said(tmp_path, video_maker, transfer, name):
    options = {"x264-params": f"transfer={transfer}:colorprim=bt2020:colormatrix=bt2020nc"}
    video_maker.make_video(tmp_path / "a.mp4", seconds=0.2, options=options)
    with VideoSource(tmp_path / "a.mp4", 0.0, lambda: None) as source:
        assert [note[: note.index(":")] for note in source.notes] == ([f"HDR video ({name})"] if name else [])
