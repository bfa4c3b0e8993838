"""A playlist that poses as a video is refused, also where it names local files that exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from pipelines.decode.container import CONTAINERS, VideoError, open_stream

_LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("ending", [".mp4", ".m3u8", ".txt", ""])
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


def test_a_pattern_of_picture_names_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "%03d.jpg").write_bytes(b"")
    (tmp_path / "%03d.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    for file in sorted(tmp_path.iterdir()):
        with pytest.raises(VideoError):
            open_stream(file)


def test_ffmpeg_knows_every_container_of_the_list() -> None:
    known = {name for each in av.formats_available for name in each.split(",")}
    assert known.issuperset(CONTAINERS)
