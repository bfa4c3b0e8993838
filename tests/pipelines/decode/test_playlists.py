"""A playlist that poses as a video is refused, also where it names local files that exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from pipelines.decode.chunk_source import ChunkSource
from pipelines.decode.container import CONTAINERS, VideoError, open_stream
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.plan import FramePlan
from pipelines.decode.source import LostFrame
from pipelines.engine.clips import Clip

_LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="1" mimeType="video/mp2t"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period>'
    "</MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("ending", [".mp4", ".m3u8", ".mpd", ".txt", ""])
@pytest.mark.parametrize("kind", list(_LISTS))
def test_a_list_of_other_files_is_no_video(
    make_video: Callable[..., int], tmp_path: Path, kind: str, ending: str
) -> None:
    make_video(tmp_path / "real.ts", seconds=1)
    file = tmp_path / f"list{ending}"
    file.write_text(_LISTS[kind].format("real.ts"))
    with pytest.raises(VideoError) as error:
        open_stream(file)
    assert error.value.reason == "not_a_video"


@pytest.mark.parametrize("kind", list(_LISTS))
def test_a_list_among_the_chunks_of_a_video_is_no_chunk(
    make_video: Callable[..., int], tmp_path: Path, kind: str
) -> None:
    make_video(tmp_path / "0.mp4", seconds=1)
    make_video(tmp_path / "real.ts", seconds=1)
    (tmp_path / "1.mp4").write_text(_LISTS[kind].format("real.ts"))
    with pytest.raises(VideoError), ChunkSource(tmp_path, 0.0, lambda: None) as source:
        list(source.frames(source.choose(Clip("a", 0.0, None), FramePlan(2, 1)).pts.flat, FramePlan(2, 1)))


@pytest.mark.parametrize("kind", list(_LISTS))
def test_a_list_among_the_pictures_of_a_video_is_no_picture(tmp_path: Path, kind: str) -> None:
    (tmp_path / "frame_1.jpg").write_text(_LISTS[kind].format("real.ts"))
    with open_jpegs(tmp_path, None, None, lambda: None) as source:
        (frame,) = source.frames([1], FramePlan())
    assert isinstance(frame, LostFrame)


def test_a_name_that_ffmpeg_would_read_as_a_list_is_a_name(make_video: Callable[..., int], tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", seconds=1)
    make_video(tmp_path / "b.ts", seconds=1)
    odd = tmp_path / "concat:a.ts|b.ts"
    with pytest.raises(VideoError) as error:
        open_stream(odd)
    assert error.value.reason == "io_error"
    odd.write_bytes((tmp_path / "a.ts").read_bytes())
    container, _ = open_stream(odd)
    container.close()


def test_a_pattern_of_picture_names_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "%03d.jpg").write_bytes(b"")
    (tmp_path / "%03d.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    for file in sorted(tmp_path.iterdir()):
        with pytest.raises(VideoError):
            open_stream(file)


def test_ffmpeg_knows_every_container_of_the_list() -> None:
    known = {name for each in av.formats_available for name in each.split(",")}
    assert known.issuperset(CONTAINERS)
