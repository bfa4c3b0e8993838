from __future__ import annotations

import pytest

from pipelines.engine.clips import Clip
from pipelines.prepare.check.probe import Probe
from pipelines.prepare.check.verdict import Verdict, judge

VIDEO = {"video_id": "P90_101", "offset_s": 0.0, "duration_s": 100.0, "fps": 50.0, "jpeg_rate": 50.0}
LENGTH = "lasts {} s, the annotation says 100.000 s"
CLIPS = [
    Clip("a", 0.0, 50.0, 1, 2500),
    Clip("b", 90.0, 99.0, 4501, 4950),
    Clip("c", 95.0, None),
]


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe(duration_s=100.0, fps=50.0), Verdict("ok")),
        (Probe(duration_s=100.4, fps=25.0), Verdict("ok")),  # found by time, the rate does not matter
        (
            Probe(duration_s=98.99, fps=50.0),
            Verdict("other_timing", "lasts 98.990 s, the annotation says 100.000 s", 3),
        ),
        (Probe(duration_s=92.0, fps=50.0), Verdict("shorter", "ends at 92.000 s, its clips at 99.000 s", 2)),
        (
            Probe(duration_s=120.0, fps=50.0),
            Verdict("other_timing", "lasts 120.000 s, the annotation says 100.000 s", 3),
        ),
        (Probe(duration_s=100.0, fps=50.0, gap="one"), Verdict("incomplete", "one", 3)),
        (Probe(frames=5000, last_frame=5000), Verdict("ok")),
        (Probe(frames=4940, last_frame=4940), Verdict("ok")),  # another program's extraction
        (Probe(frames=3000, last_frame=3000), Verdict("shorter", "the last frame is 3000, its clips go to 4950", 1)),
        (Probe(frames=4999, last_frame=5000, gap="gap"), Verdict("incomplete", "gap", 3)),
    ],
)
def test_each_status_means_what_it_says(probe, expected):
    assert judge(VIDEO, CLIPS, probe) == expected


def test_a_clip_that_ends_within_a_frame_of_the_end_is_not_too_long():
    clips = [Clip("a", 0.0, 99.013)]
    assert judge({**VIDEO, "duration_s": None}, clips, Probe(duration_s=99.0, fps=60.0)).status == "ok"


def test_frames_of_60_a_second_of_a_video_of_50_are_other_timing_and_say_what_to_do():
    verdict = judge(VIDEO, CLIPS, Probe(frames=6000, last_frame=6000))
    assert (verdict.status, verdict.clips) == ("other_timing", 3)
    assert "60.0 a second" in verdict.detail
    assert "--errata" in verdict.detail


def test_a_stretch_of_a_longer_file_is_not_longer_than_annotated():
    video = {**VIDEO, "offset_s": 300.0}
    assert judge(video, CLIPS[:2], Probe(duration_s=3000.0, fps=30.0)).status == "ok"
    assert judge(video, CLIPS[:2], Probe(duration_s=390.0, fps=30.0)).status == "shorter"


LACKING = "the file states 100.000 s, its data ends at 99.500 s; get it again"


def test_a_file_that_states_more_than_it_holds_is_incomplete_for_the_clips_that_go_to_its_end():
    video = {**VIDEO, "duration_s": None}
    assert judge(video, CLIPS, Probe(duration_s=99.5, fps=50.0, lacking=LACKING)) == Verdict("incomplete", LACKING, 1)
    cut = judge(video, CLIPS, Probe(duration_s=92.0, fps=50.0, lacking=LACKING))
    assert cut == Verdict("shorter", f"ends at 92.000 s, its clips at 99.000 s: {LACKING}", 2)


def test_a_file_as_long_as_annotated_is_whole_whatever_it_states():
    assert judge(VIDEO, CLIPS, Probe(duration_s=100.0, fps=50.0, lacking=LACKING)).status == "ok"
