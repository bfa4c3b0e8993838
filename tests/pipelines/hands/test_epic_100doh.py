from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from data_manifests.errors import InputError
from pipelines.hands.epic_100doh import PLACES, Epic100doh, read_messages
from pipelines.hands.imported import NoBoxes, VideoFrames
from tests.pipelines.hands.hoa_files import hand, message, messages, write


def jpegs(video_id: str, *numbers: int, duration_s: float | None = None) -> VideoFrames:
    return VideoFrames(video_id, True, duration_s, list(numbers), [None] * len(numbers))


def timed(video_id: str, *times: float, duration_s: float | None = None) -> VideoFrames:
    return VideoFrames(video_id, False, duration_s, list(range(len(times))), list(times))


def shown(source: Epic100doh, frames: VideoFrames) -> list[int]:
    """Which entry each frame took, by the right edge of its hand."""
    found = source.boxes(frames)
    return [round(boxes[0].x1 * 1000) for boxes in found if isinstance(boxes, list)]


def source_of(root: Path, video_id: str, count: int) -> Epic100doh:
    write(root / f"{video_id}.pkl", messages(video_id, count))
    return Epic100doh(root)


@pytest.mark.parametrize("place", PLACES)
def test_a_file_is_found_wherever_the_release_or_the_downloader_puts_it(tmp_path: Path, place: str) -> None:
    write(tmp_path / place.format(participant="P90", video="P90_01"), messages("P90_01", 3))
    assert shown(Epic100doh(tmp_path), jpegs("P90_01", 2)) == [2]


def test_a_jpeg_takes_the_entry_of_its_number(tmp_path: Path) -> None:
    assert shown(source_of(tmp_path, "P90_01", 100), jpegs("P90_01", 1, 50, 100)) == [1, 50, 100]


def test_a_video_of_2018_is_looked_up_at_60_and_one_of_2020_at_50_frames_a_second(tmp_path: Path) -> None:
    times = (0.0, 0.2, 1.004)
    assert shown(source_of(tmp_path, "P90_01", 100), timed("P90_01", *times)) == [1, 13, 61]
    assert shown(source_of(tmp_path, "P90_101", 100), timed("P90_101", *times)) == [1, 11, 51]


def test_a_frame_of_a_video_file_takes_the_entry_nearest_to_its_time(tmp_path: Path) -> None:
    # 0.0166 s are 0.996 frames at 60 a second, and 0.0199 s are 0.995 at 50.
    assert shown(source_of(tmp_path, "P90_01", 700), timed("P90_01", 0.0166, 0.0083, 0.0084)) == [2, 1, 2]
    assert shown(source_of(tmp_path, "P90_101", 100), timed("P90_101", 0.0199, 0.0099, 0.0101)) == [2, 1, 2]
    # Files of 2018 run at 59.94 a second: their frame 600 is shown at 10.01 s, when entry 602 of the JPEGs is nearest.
    assert shown(source_of(tmp_path, "P90_01", 700), timed("P90_01", 600 * 1001 / 60000)) == [602]


def test_a_frame_a_little_past_the_last_entry_takes_it_and_a_later_one_fails(tmp_path: Path) -> None:
    source = source_of(tmp_path, "P90_01", 60)
    near, far = source.boxes(jpegs("P90_01", 75, 76))
    assert isinstance(near, list)
    assert round(near[0].x1 * 1000) == 60
    assert isinstance(far, NoBoxes)
    assert far.reason == "past_end"
    assert "frame 76 is past its last one, 60" in str(far)


def test_a_file_of_60_frames_a_second_for_a_video_of_50_is_refused_whole(tmp_path: Path) -> None:
    source = source_of(tmp_path, "P90_109", 600)
    with pytest.raises(NoBoxes, match=r"P90_109\.pkl: 600 frames .* 60\.0 a second.*numbers 50 a second") as error:
        source.boxes(timed("P90_109", 1.0, duration_s=10.0))
    assert error.value.reason == "wrong_frame_rate"
    assert shown(source, timed("P90_109", 1.0, duration_s=12.0)) == [51]
    assert shown(source, timed("P90_109", 1.0)) == [51], "nobody knows how long the video is"


def test_a_video_without_a_file_has_no_boxes_and_no_digest(tmp_path: Path) -> None:
    source = Epic100doh(tmp_path)
    with pytest.raises(NoBoxes, match=r"no P90_01\.pkl in it; looked for hand-objects/P90/P90_01\.pkl") as error:
        source.boxes(jpegs("P90_01", 1))
    assert error.value.reason == "no_boxes"
    assert source.digest("P90_01") is None


def test_the_digest_follows_the_file(tmp_path: Path) -> None:
    source = source_of(tmp_path, "P90_01", 3)
    before = source.digest("P90_01")
    write(tmp_path / "P90_01.pkl", messages("P90_01", 4))
    assert before != source.digest("P90_01")


def test_only_the_messages_that_are_asked_for_are_decoded(tmp_path: Path) -> None:
    entries = messages("P90_01", 3)
    entries[1] = b"\x0b"
    write(tmp_path / "P90_01.pkl", entries)
    assert shown(Epic100doh(tmp_path), jpegs("P90_01", 1, 3)) == [1, 3]


def test_a_broken_message_fails_its_frame_only(tmp_path: Path) -> None:
    entries = messages("P90_01", 3)
    entries[1] = entries[1][:-3]
    write(tmp_path / "P90_01.pkl", entries)
    first, second, third = Epic100doh(tmp_path).boxes(jpegs("P90_01", 1, 2, 3))
    assert isinstance(first, list)
    assert isinstance(third, list)
    assert isinstance(second, NoBoxes)
    assert (second.reason, "P90_01.pkl, frame 2: cut off" in str(second)) == ("bad_boxes", True)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            message("P90_02", 2, [hand((0, 0, 0.5, 0.5))]),
            "entry 1 is frame 2 of 'P90_02', expected frame 2 of 'P90_01'",
        ),
        (
            message("P90_01", 1, [hand((0, 0, 0.5, 0.5))]),
            "entry 1 is frame 1 of 'P90_01', expected frame 2 of 'P90_01'",
        ),
    ],
)
def test_an_entry_of_another_video_or_frame_fails_the_whole_video(tmp_path: Path, entry: bytes, text: str) -> None:
    write(tmp_path / "P90_01.pkl", [*messages("P90_01", 1), entry])
    with pytest.raises(NoBoxes, match=text) as error:
        Epic100doh(tmp_path).boxes(jpegs("P90_01", 1, 2))
    assert error.value.reason == "bad_boxes"


class Hostile:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.witness}'",)


@pytest.mark.parametrize("wrap", [lambda item: item, lambda item: [b"", item]])
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path, wrap: object) -> None:
    file = write(tmp_path / "P90_01.pkl", wrap(Hostile(tmp_path / "witness")))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"P90_01\.pkl: refused \(it names posix\.system, which could run code"):
        read_messages(file)
    with pytest.raises(NoBoxes, match="refused") as error:
        Epic100doh(tmp_path).boxes(jpegs("P90_01", 1))
    assert error.value.reason == "bad_boxes"
    assert not (tmp_path / "witness").exists()


def test_a_pickle_with_a_persistent_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "P90_01.pkl").write_bytes(b"(lp0\nPsecret\na.")
    with pytest.raises(InputError, match="it refers to objects outside the file"):
        read_messages(tmp_path / "P90_01.pkl")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"a": b""}, "holds a dict"),
        ("text", "holds a str"),
        ((b"",), "holds a tuple"),
        ([[b""]], "entry 0 is a list"),
        ([b"", "text"], "entry 1 is a str"),
        ([b"", {}], "entry 1 is a dict"),
    ],
)
def test_a_pickle_of_anything_but_a_list_of_bytes_is_refused(tmp_path: Path, content: object, text: str) -> None:
    with pytest.raises(InputError, match=rf"P90_01\.pkl: {text}\. Expected the pickled list of bytes"):
        read_messages(write(tmp_path / "P90_01.pkl", content))


@pytest.mark.parametrize("data", [b"", b"not a pickle", pickle.dumps([b"abc"] * 9)[:-8], b"\x80\x05r\xff\xff\xff\x7f."])
def test_a_file_that_is_no_whole_pickle_is_refused_with_its_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "P90_01.pkl").write_bytes(data)
    with pytest.raises(InputError, match=r"P90_01\.pkl: refused \("):
        read_messages(tmp_path / "P90_01.pkl")


@pytest.mark.parametrize("video_id", ["../P90_01", "P90_01/../../x", "P90_1", "P90_01\n", "/etc/passwd", "val0.mp4"])
def test_an_id_that_is_no_epic_video_is_not_looked_for(tmp_path: Path, video_id: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    write(tmp_path / "P90_01.pkl", messages("P90_01", 1))
    with pytest.raises(NoBoxes, match="is no video of EPIC-KITCHENS") as error:
        Epic100doh(root).boxes(jpegs(video_id, 1))
    assert error.value.reason == "no_boxes"
    assert Epic100doh(root).digest(video_id) is None


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.pkl", messages("P90_01", 1))
    root = tmp_path / "root"
    root.mkdir()
    (root / "P90_01.pkl").symlink_to(outside)
    with pytest.raises(NoBoxes, match="the file of P90_01 is a link that leads out of it"):
        Epic100doh(root).boxes(jpegs("P90_01", 1))


def test_a_folder_that_is_not_there_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: no such folder; expected the one that holds hand-objects/P01"):
        Epic100doh(tmp_path / "none")


def test_the_identity_holds_no_path(tmp_path: Path) -> None:
    identity = Epic100doh(tmp_path).identity
    assert identity.slug == "epic-100doh"
    assert str(tmp_path) not in str(identity)
