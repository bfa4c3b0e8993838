"""A number stands for one picture: the frame's, whatever lies beside it and in whatever order it is listed."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.decode.container import VideoError
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.picture_series import picture_series
from pipelines.decode.plan import NO_FRAME, FramePlan
from pipelines.decode.source import LostFrame, StoredFrame
from pipelines.engine.clips import Clip

PLAN = FramePlan(segments=4, candidates=1, short_side=0)
RGB_AND_FLOW = [f"{prefix}{number:05d}.jpg" for prefix in ("img_", "flow_x_", "flow_y_") for number in range(1, 5)]


def _nothing() -> None:
    pass


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def _write(folder: Path, pictures: dict[str, bytes]) -> Path:
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _tar(file: Path, pictures: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w") as archive:
        for name, data in pictures.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


@pytest.mark.parametrize("seed", range(5))
def test_of_frames_and_flow_the_frames_are_taken_in_any_order_of_the_folder(seed: int) -> None:
    names = RGB_AND_FLOW.copy()
    random.Random(seed).shuffle(names)
    found = picture_series(names)
    assert found.files == {number: f"img_{number:05d}.jpg" for number in range(1, 5)}
    assert found.note == "the frames are img_*; flow_x_*, flow_y_* are left out"


@pytest.mark.parametrize(
    ("frames", "others"),
    [
        ("frame_0000000001.jpg", ["u/frame_0000000001.jpg", "v/frame_0000000001.jpg"]),
        ("rgb/frame_1.jpg", ["flow_x/frame_1.jpg", "flow_y/frame_1.jpg"]),
        ("P01_01/image_00001.jpeg", ["P01_01/depth_00001.jpg"]),
        ("1.jpg", ["mask_1.jpg"]),
        ("img_00001.jpg", ["._img_00001.jpg", "__MACOSX/img_00001.jpg", ".thumbs/img_00001.jpg"]),
        ("img_00001.jpg", ["mask_00001.png"]),
    ],
)
def test_what_is_named_as_something_else_is_not_the_frame(frames: str, others: list[str]) -> None:
    assert picture_series([*others, frames]).files == {1: frames}


@pytest.mark.parametrize(
    "names",
    [
        ("img_1.jpg", "img_00001.jpg"),
        ("img_1.jpeg", "img_1.jpg"),
        ("img_1.JPG", "img_1.jpg"),
        ("img_1.jpg", "img_1.png"),
        ("frame_1.jpg", "img_1.jpg"),
        ("left/frame_1.jpg", "right/frame_1.jpg"),
        ("cam_a_1.jpg", "cam_b_1.jpg"),
        ("flow_x_1.jpg", "flow_y_1.jpg"),
    ],
)
def test_where_nothing_tells_the_frame_both_files_are_named(names: tuple[str, str]) -> None:
    for order in (names, names[::-1]):
        with pytest.raises(ValueError, match="number 1 stands for ") as caught:
            picture_series(order)
        assert all(name in str(caught.value) for name in names)


def test_series_of_other_numbers_are_one_video_as_ever() -> None:
    assert picture_series(["a_1.jpg", "b_2.jpg", "c_3.jpg"]).files == {1: "a_1.jpg", 2: "b_2.jpg", 3: "c_3.jpg"}
    assert picture_series(["img_1.jpg", "plot_900.png"]).files == {1: "img_1.jpg"}


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_frames_beside_flow_are_read_and_said(tmp_path: Path, video_maker, kind: str) -> None:
    shown = {"img_": 0, "flow_x_": 500, "flow_y_": 1000}
    pictures = {
        f"{prefix}{number:05d}.jpg": to_jpeg(video_maker.draw_frame(number + more, (128, 96)), 90)
        for prefix, more in shown.items()
        for number in range(1, 9)
    }
    pictures |= {"._img_00001.jpg": b"not a picture", "Thumbs.db": b"", ".DS_Store": b""}
    path = _write(tmp_path / "a", pictures) if kind == "folder" else _tar(tmp_path / "a.tar", pictures)
    with open_jpegs(path, None, None, _nothing) as source:
        assert (source.count, source.first, source.last) == (8, 1, 8)
        frames = [frame for frame in source.frames(range(1, 9), PLAN) if isinstance(frame, StoredFrame)]
        assert [video_maker.read_number(from_jpeg(frame.jpeg)) for frame in frames] == list(range(1, 9))
        assert source.notes == ["the frames are img_*; flow_x_*, flow_y_* are left out"]


def test_an_ambiguous_folder_is_a_failure_of_its_own(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", {"left_1.jpg": b"", "right_1.jpg": b""})
    with pytest.raises(VideoError, match=r"a: number 1 stands for left_1\.jpg and for right_1\.jpg") as caught:
        open_jpegs(folder, None, None, _nothing)
    assert caught.value.reason == "ambiguous_pictures"


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_pngs_are_read_and_stored_as_jpegs(tmp_path: Path, video_maker, kind: str) -> None:
    pictures = {f"frame_{n:05d}.png": _png(video_maker.draw_frame(n, (128, 96))[..., ::-1]) for n in range(1, 9)}
    path = _write(tmp_path / "a", pictures) if kind == "folder" else _tar(tmp_path / "a.tar", pictures)
    with open_jpegs(path, 30.0, None, _nothing) as source:
        chosen = source.choose(Clip("c", 0.0, None), PLAN)
        frames = [frame for frame in source.frames(chosen.pts.flat, PLAN) if isinstance(frame, StoredFrame)]
        assert [video_maker.read_number(from_jpeg(frame.jpeg)) for frame in frames] == [2, 4, 6, 8]
        assert source.facts()["codec"] == "png"


def test_pngs_of_any_depth_and_with_transparency_are_colour_pictures(tmp_path: Path, video_maker) -> None:
    picture = video_maker.draw_frame(5, (128, 96))[..., ::-1]
    kinds = {
        "img_1.png": _png(picture),
        "img_2.png": _png(picture.astype(np.uint16) * 257),
        "img_3.png": _png(np.dstack([picture, np.full(picture.shape[:2], 7, np.uint8)])),
        "img_4.jpg": _png(picture),  # by another name
    }
    with open_jpegs(_write(tmp_path / "a", kinds), None, None, _nothing) as source:
        frames = list(source.frames([1, 2, 3, 4], PLAN))
    assert [video_maker.read_number(from_jpeg(frame.jpeg)) for frame in frames] == [5] * 4


@pytest.mark.parametrize("fault", ["cut", "changed", "empty"])
def test_a_damaged_png_is_a_lost_frame(tmp_path: Path, video_maker, fault: str) -> None:
    data = _png(video_maker.draw_frame(1, (128, 96)))
    changed = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x55]) + data[len(data) // 2 + 1 :]
    bad = {"cut": data[:-20], "changed": changed, "empty": b""}[fault]
    with open_jpegs(_write(tmp_path / "a", {"img_1.png": bad, "img_2.png": data}), None, None, _nothing) as source:
        first, second = source.frames([1, 2], PLAN)
    assert isinstance(first, LostFrame)
    assert "frame 1: " in first.failure.error
    assert isinstance(second, StoredFrame)


def test_numbers_before_the_first_picture_are_not_the_first_picture(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", {f"img_{number}.jpg": b"" for number in range(500, 600)})
    with open_jpegs(folder, None, None, _nothing) as source:
        chosen = source.choose(Clip("c", 0.0, 1.0, 10, 50), PLAN)
        assert (chosen.pts == NO_FRAME).all()
        (failure,) = chosen.failures
        assert failure.reason == "before_start"
        assert failure.error == "4 of 4 instants of frames 10 to 50 are before the first one, 500"
        assert source.choose(Clip("c", 0.0, 1.0, 495, 505), PLAN).failures == []
