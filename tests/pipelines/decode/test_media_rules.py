"""What media may ask for is bounded, and a link that was put in later leads nowhere."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from data_manifests.errors import TooManyFailures
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.media_rules import MAX_PIXELS, MediaRules, VideoError
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video
from pipelines.decode.source import LostFrame, StoredFrame
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.shards import read_footer
from tests.hostile_media import large_gif, large_jpeg, large_png
from tests.pipelines.decode.test_gone_videos import decoding


def test_a_small_file_of_huge_frames_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(large_gif(16_000, 16_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VideoError) as error:
        open_video(tmp_path / "a.gif")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    assert error.value.reason == "too_many_pixels"
    words = "its frames have 16000 x 16000 pixels, 256000000; expected 67108864 at most."
    assert str(error.value).startswith(f"{tmp_path / 'a.gif'}: {words}")
    assert str(error.value).endswith("large: --max-pixels 256000000, of xmic decode and xmic prepare")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.gif", "a.mpg"])
def test_the_limit_counts_in_every_container_and_the_option_lifts_it(
    tmp_path: Path, make_video: Callable[..., int], name: str
) -> None:
    codec = {"gif": "gif", "avi": "mjpeg", "mpg": "mpeg2video"}.get(name[2:], "libx264")
    make_video(tmp_path / name, codec=codec, fps=25, seconds=0.4, size=(128, 96))
    with pytest.raises(VideoError, match="have 128 x 96 pixels, 12288; expected 12287 at most"):
        open_video(tmp_path / name, rules=MediaRules(max_pixels=128 * 96 - 1))
    with open_video(tmp_path / name, rules=MediaRules(max_pixels=128 * 96)) as reader:
        assert reader.info.frames_indexed == 10


def test_the_next_file_of_the_same_size_is_refused_for_the_same_reason(
    tmp_path: Path, make_video: Callable[..., int]
) -> None:
    for name in ("a.avi", "b.avi"):
        make_video(tmp_path / name, codec="mjpeg", fps=25, seconds=0.4, size=(128, 96))
        with pytest.raises(VideoError, match="have 128 x 96 pixels, 12288; expected 12287 at most"):
            open_video(tmp_path / name, rules=MediaRules(max_pixels=128 * 96 - 1))


@pytest.mark.parametrize("make", [large_jpeg, large_png])
def test_a_picture_of_huge_sides_loses_its_frame_only(tmp_path: Path, make: Callable[[int, int], bytes]) -> None:
    (tmp_path / "frame_1.jpg").write_bytes(make(64, 64))
    (tmp_path / "frame_2.jpg").write_bytes(make(30_000, 30_000))
    with open_jpegs(tmp_path, None, None, lambda: None) as source:
        _, large = source.frames([1, 2], FramePlan())
    assert isinstance(large, LostFrame)
    assert large.failure.reason == "too_many_pixels"
    assert f"{tmp_path}, frame 2: the picture: its frames have 30000 x 30000 pixels" in large.failure.error
    assert str(MAX_PIXELS) in large.failure.error


def test_the_option_of_decode_reaches_the_worker(tmp_path: Path, make_video: Callable[..., int]) -> None:
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "a.mp4", fps=10, seconds=1)
    decode = decoding(tmp_path, ["a.mp4,0,1"])
    decode.rules = MediaRules(max_pixels=100)
    with pytest.raises(TooManyFailures):
        stage.run(decode)
    assert _reasons(decode) == {"too_many_pixels"}


def _reasons(decode: DecodeStage) -> set[str]:
    (file,) = decode.folder.glob("part-*.parquet")
    return set(read_footer(file).failures)


@pytest.fixture
def secret(tmp_path: Path, make_video: Callable[..., int]) -> Path:
    """A video outside of the roots, of which no frame may be decoded."""
    (tmp_path / "private").mkdir()
    make_video(tmp_path / "private" / "secret.mp4", fps=10, seconds=1)
    return tmp_path / "private" / "secret.mp4"


def test_a_link_that_was_put_in_after_prepare_is_not_followed(
    tmp_path: Path, make_video: Callable[..., int], secret: Path
) -> None:
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "a.mp4", fps=10, seconds=1)
    decode = decoding(tmp_path, ["a.mp4,0,1"])
    (tmp_path / "videos" / "a.mp4").unlink()
    (tmp_path / "videos" / "a.mp4").symlink_to(secret)
    with pytest.raises(TooManyFailures):
        stage.run(decode)
    assert _reasons(decode) == {"outside_roots"}


def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a").symlink_to(secret.parent)
    with pytest.raises(VideoError, match="outside the video roots"):
        open_video(tmp_path / "videos" / "a" / "secret.mp4", rules=MediaRules(roots=(str(tmp_path / "videos"),)))


def test_a_link_within_the_roots_is_followed(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").symlink_to(secret)
    roots = (str(tmp_path / "videos"), str(tmp_path / "private"))
    with open_video(tmp_path / "videos" / "a.mp4", rules=MediaRules(roots=roots)) as reader:
        assert reader.info.frames_indexed == 10


@pytest.mark.parametrize("put", [lambda file: file.symlink_to("frame_1.jpg"), os.mkfifo], ids=["link", "pipe"])
def test_a_link_or_a_pipe_that_took_the_place_of_a_picture_loses_its_frame(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"frame_{number}.jpg").write_bytes(large_jpeg(64, 64))
    with open_jpegs(tmp_path, None, None, lambda: None) as source:
        (tmp_path / "frame_2.jpg").unlink()
        put(tmp_path / "frame_2.jpg")
        frames = list(source.frames([1, 2, 3], FramePlan()))
    assert [frame.pts for frame in frames if isinstance(frame, LostFrame)] == [2]


def test_the_rules_cost_a_usual_picture_nothing(tmp_path: Path) -> None:
    (tmp_path / "frame_1.jpg").write_bytes(large_jpeg(64, 64))
    with open_jpegs(tmp_path, None, None, lambda: None) as source:
        (frame,) = source.frames([1], FramePlan())
    assert isinstance(frame, StoredFrame)
    assert frame.jpeg == large_jpeg(64, 64)
