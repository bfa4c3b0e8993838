from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from av.stream import Discard

from data_manifests.errors import InputError
from pipelines.decode.container import VideoError, open_stream
from pipelines.decode.reader import open_video


def refused(path: Path) -> VideoError:
    with pytest.raises(VideoError) as caught:
        open_video(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert isinstance(caught.value, InputError)
    return caught.value


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    error = refused(path)
    assert error.reason == "empty_file"
    assert "the file is empty (0 bytes); get it again" in str(error)


def test_text_named_as_a_video_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "page.mp4"
    path.write_text("<html><body>404 Not Found</body></html>\n" * 50)
    error = refused(path)
    assert error.reason == "not_a_video"
    assert "FFmpeg finds no video in it" in str(error)


def test_an_mp4_cut_off_before_its_index_is_not_a_video(
    video: Callable[[str], Path], video_maker, tmp_path: Path
) -> None:
    video_maker.shift_video(video("h264.mp4"), tmp_path / "whole.mp4", 0)
    video_maker.truncate(tmp_path / "whole.mp4", tmp_path / "cut.mp4", 0.8)
    error = refused(tmp_path / "cut.mp4")
    assert error.reason == "not_a_video"
    assert "A download that was cut off can look like this" in str(error)


def test_a_playlist_named_as_a_video_reaches_no_other_file(video: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n")
    assert refused(path).reason in ("not_a_video", "decode_error")


def test_sound_without_pictures_has_no_video_stream(video_maker, tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    video_maker.make_audio(path)
    error = refused(path)
    assert error.reason == "no_video_stream"
    assert "no video stream (streams: audio); expected a file with moving pictures" in str(error)


def test_a_cover_picture_is_no_video(video: Callable[[str], Path], video_maker, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    video_maker.make_audio_with_cover(path)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    assert refused(path).reason == "no_video_stream"


def test_pictures_that_nothing_here_decodes_are_a_decode_error_that_says_so(
    video: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "unknown.mp4"
    path.write_bytes(video("h264.mp4").read_bytes().replace(b"avc1", b"zzzz"))
    error = refused(path)
    assert error.reason == "decode_error"
    assert str(error).endswith("this FFmpeg has no decoder for the video stream; convert the file to H.264")


def test_a_missing_file_and_a_folder_are_io_errors(tmp_path: Path) -> None:
    missing = refused(tmp_path / "nowhere.mp4")
    assert missing.reason == "io_error"
    assert "cannot be read (No such file or directory); check the path" in str(missing)
    assert refused(tmp_path).reason == "io_error"


def test_the_video_is_found_behind_a_sound_stream(video_maker, tmp_path: Path) -> None:
    path = tmp_path / "both.mkv"
    video_maker.make_audio(path, with_video=True)
    container, stream = open_stream(path)
    assert (stream.type, stream.index) == ("video", 1)
    assert [each.discard == Discard.all for each in container.streams] == [True, False]
    container.close()
    with open_video(path) as reader:
        assert (reader.mode, reader.info.frames_indexed) == ("gop", 10)


def test_odd_bytes_in_the_metadata_do_not_matter(video: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(video("h264.mp4"))) as source, av.open(str(path), "w") as out:
        out.metadata["title"] = "MARKMARK"
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"MARKMARK", b"\xff\xfeRK\xc3\x28RK"))
    with open_video(path) as reader:
        assert reader.info.frames_indexed == 60
