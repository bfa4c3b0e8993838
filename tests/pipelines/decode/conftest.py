"""Small videos of many kinds, made once a session and only if a test asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

KINDS: dict[str, dict] = {
    "h264.mp4": {},
    "h264_deep.mp4": {"b_frames": 4, "gop": 24},
    "h264_vfr.mp4": {
        "pts": [0, 10, 20, 35, 90, 100, 160, 170, 300, 310, 320, 330, 500, 510, 520, 700, 733, 766, 800, 834]
    },
    "h264_open.mp4": {"open_gop": True},
    "h264_open.mkv": {"open_gop": True},
    "h264_open.ts": {"open_gop": True},
    "h264_late.mkv": {"start_pts": 45},
    "h264_late.mp4": {"start_pts": 45},
    "hevc.mp4": {"codec": "libx265"},
    "hevc_open.mp4": {"codec": "libx265", "open_gop": True},
    "hevc_open.mkv": {"codec": "libx265", "open_gop": True},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "mpeg4_open.mp4": {"codec": "mpeg4", "open_gop": True},
    "mpeg2_open.mp4": {"codec": "mpeg2video", "open_gop": True},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "vp8.webm": {"codec": "libvpx"},
    "av1.mp4": {"codec": "libsvtav1"},
    "mjpeg.avi": {"codec": "mjpeg", "seconds": 1},
    "anim.gif": {"codec": "gif", "fps": 10},
    "refresh.mp4": {"b_frames": 0, "options": {"x264-params": "intra-refresh=1:keyint=20"}},
    "lone.mp4": {"seconds": 1 / 30},
    "bare.h264": {"seconds": 0.5},
    "bare.hevc": {"codec": "libx265", "seconds": 0.5},
    "rateless.hevc": {
        "codec": "libx265",
        "seconds": 0.5,
        "options": {"x265-params": "keyint=12:no-vui-timing-info=1:pools=none:frame-threads=1:log-level=none"},
    },
    "h264.avi": {},
    "h264_plain.avi": {"b_frames": 0},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg2.avi": {"codec": "mpeg2video"},
}


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory, video_maker: ModuleType) -> Callable[[str], Path]:
    """``video("h264.mp4")``: the path of a sample of that kind (30 fps, GOPs of 12, 2 s unless KINDS says)."""
    folder = tmp_path_factory.mktemp("videos")

    def get(kind: str) -> Path:
        path = folder / kind
        if not path.exists():
            video_maker.make_video(path, **KINDS[kind])
        return path

    return get
