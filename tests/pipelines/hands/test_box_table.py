from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.hands.box_table import BoxTable
from pipelines.hands.detector import Box
from pipelines.hands.imported import FarBoxes, NoBoxes, VideoFrames

TIMES = "video,time_s,x0,y0,x1,y1,score,side,kind,contact"
FRAMES = "video,frame,x0,y0,x1,y1,score"


def table(tmp_path: Path, *rows: str, header: str = TIMES, tolerance_s: float = 0.05) -> BoxTable:
    file = tmp_path / "my boxes.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return BoxTable(file, tolerance_s)


def timed(*times: float, video: str = "a.mp4") -> VideoFrames:
    return VideoFrames(video, False, None, list(range(len(times))), list(times))


def jpegs(*numbers: int) -> VideoFrames:
    return VideoFrames("a", True, None, list(numbers), [None] * len(numbers))


def edges(found: list[list[Box] | NoBoxes | None]) -> list[list[float] | None]:
    return [[box.x1 for box in boxes] if isinstance(boxes, list) else None for boxes in found]


def test_the_nearest_row_within_the_tolerance_counts_and_beyond_it_nothing_is_said(tmp_path: Path) -> None:
    source = table(tmp_path, "a.mp4,1.0,0,0,0.1,1,0.9,,,", "a.mp4,1.08,0,0,0.2,1,0.9,,,")
    times = (0.94, 0.95, 1.03, 1.05, 1.13, 1.14)
    assert edges(source.boxes(timed(*times))) == [None, [0.1], [0.1], [0.2], [0.2], None]


def test_of_two_rows_equally_near_the_earlier_counts(tmp_path: Path) -> None:
    source = table(tmp_path, "a.mp4,1.5,0,0,0.2,1,0.9,,,", "a.mp4,1.0,0,0,0.1,1,0.9,,,", tolerance_s=0.5)
    assert edges(source.boxes(timed(1.25))) == [[0.1]]


def test_all_rows_of_a_frame_count_in_their_order_wherever_they_stand(tmp_path: Path) -> None:
    source = table(
        tmp_path,
        "b.mp4,2,0,0,0.9,1,0.9,,,",
        "a.mp4,2,0,0,0.3,1,0.9,,,",
        "a.mp4,1,0,0,0.1,1,0.9,left,hand,true",
        "a.mp4,2,0,0,0.2,1,0.5,,object,",
    )
    assert edges(source.boxes(timed(2.0, 1.0))) == [[0.3, 0.2], [0.1]]
    assert source.boxes(timed(1.0)) == [[Box(0, 0, 0.1, 1, 0.9, "left", "hand", True)]]
    assert source.boxes(timed(2.0, video="b.mp4")) == [[Box(0, 0, 0.9, 1, 0.9, None, "hand", None)]]


def test_a_row_without_corners_says_that_the_frame_has_no_box(tmp_path: Path) -> None:
    source = table(tmp_path, "a.mp4,1,,,,,,,,", "a.mp4,5,0,0,0.1,1,0.9,,,")
    assert source.boxes(timed(1.0, 2.0)) == [[], None]


def test_a_jpeg_takes_the_rows_of_exactly_its_number(tmp_path: Path) -> None:
    source = table(tmp_path, "a,10,0,0,0.1,1,0.9", "a,12,0,0,0.2,1,0.9", header=FRAMES)
    assert edges(source.boxes(jpegs(9, 10, 11, 12, 13))) == [None, [0.1], None, [0.2], None]


def test_numbers_for_a_video_file_and_times_for_jpegs_of_unknown_rate_are_refused(tmp_path: Path) -> None:
    numbers = table(tmp_path, "a.mp4,10,0,0,0.1,1,0.9", header=FRAMES)
    with pytest.raises(InputError, match=r"a\.mp4 was decoded from a video file; give time_s in its place"):
        numbers.boxes(timed(1.0))
    times = table(tmp_path, "a,10,0,0,0.1,1,0.9,,,")
    with pytest.raises(InputError, match="decoded from JPEGs of unknown rate; give frame in its place"):
        times.boxes(jpegs(10))


def test_a_video_the_table_does_not_have_has_no_boxes_and_an_id_of_the_table_is_shown(tmp_path: Path) -> None:
    source = table(tmp_path, "videos/a.mp4,1,0,0,1,1,0.9,,,")
    with pytest.raises(NoBoxes, match=r"no row of video 'a\.mp4', but of 'videos/a\.mp4'") as error:
        source.boxes(timed(1.0))
    assert error.value.reason == "no_boxes"
    assert source.digest("a.mp4") is None


def test_a_changed_row_changes_the_digest_of_its_video_only(tmp_path: Path) -> None:
    rows = ["a.mp4,1,0,0,1,1,0.9,,,", "b.mp4,1,0,0,1,1,0.9,,,"]
    before = table(tmp_path, *rows)
    digests = {video: before.digest(video) for video in ("a.mp4", "b.mp4")}
    after = table(tmp_path, rows[0], rows[1].replace("0.9", "0.8"))
    assert after.digest("a.mp4") == digests["a.mp4"]
    assert after.digest("b.mp4") != digests["b.mp4"]


def test_the_order_of_the_videos_in_the_table_is_not_in_the_digest(tmp_path: Path) -> None:
    rows = ["a.mp4,1,0,0,1,1,0.9,,,", "b.mp4,1,0,0,1,1,0.9,,,"]
    assert table(tmp_path, *rows).digest("a.mp4") == table(tmp_path, *reversed(rows)).digest("a.mp4")


def test_the_identity_names_the_file_and_the_tolerance_and_no_path(tmp_path: Path) -> None:
    identity = table(tmp_path).identity
    assert identity.slug == "boxes-my-boxes"
    assert identity.provenance == {"detector": "boxes", "file": "my boxes.csv", "tolerance_s": 0.05}


def test_a_missing_file_and_a_negative_tolerance_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file; expected a table of boxes"):
        BoxTable(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="--boxes-tolerance -1: expected seconds, 0 or more"):
        table(tmp_path, tolerance_s=-1)


def test_a_video_with_rows_of_none_of_its_frames_has_no_boxes_and_says_how_far_the_nearest_is(tmp_path: Path) -> None:
    other = "b.mp4,1,0,0,0.1,1,0.9,,,"
    source = table(tmp_path, other, "a.mp4,1500,0,0,0.1,1,0.9,,,", "a.mp4,500,0,0,0.2,1,0.9,,,")
    with pytest.raises(FarBoxes) as error:
        source.boxes(timed(0.5, 1.5))
    assert error.value.reason == "no_boxes"
    assert str(error.value) == (
        f"{tmp_path / 'my boxes.csv'}, row 3: time_s 1500 of 'a.mp4'; expected seconds from the video's first frame. "
        "None of the video's 2 rows is at a decoded frame within 0.05 s (--boxes-tolerance): the nearest has time_s "
        "500, the frame 1.5."
    )
    assert edges(source.boxes(timed(1.0, 2.0, video="b.mp4"))) == [[0.1], None]


def test_numbers_of_other_jpegs_are_told_without_a_tolerance(tmp_path: Path) -> None:
    source = table(tmp_path, "a,10,0,0,0.1,1,0.9", header=FRAMES)
    with pytest.raises(
        FarBoxes, match=r"row 2: frame 10 of 'a'; expected the number of a JPEG\. .* at a decoded frame: "
    ):
        source.boxes(jpegs(60, 120))


def test_rows_of_one_frame_count_together_however_its_time_was_rounded(tmp_path: Path) -> None:
    source = table(
        tmp_path,
        "a.mp4,1.0333333,0,0,0.1,1,0.9,left,,",
        "a.mp4,1.0333333015441895,0,0,0.2,1,0.9,right,,",
        "a.mp4,1.03334,0,0,0.3,1,0.9,,object,",
        "a.mp4,1.0375,0,0,0.4,1,0.9,,,",
    )
    (boxes,) = edges(source.boxes(timed(1.033)))
    assert sorted(boxes or []) == [0.1, 0.2, 0.3]
