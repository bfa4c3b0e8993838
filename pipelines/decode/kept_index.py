"""Keep the packet index of a file that several videos share.

The file is demuxed once; the index is kept in a folder, from where the other videos read it. An Ego4D clip is a few
minutes of a recording of hours. Its frames are chosen by the index of the whole file. So all clips of the file agree on
the first displayed frame, the end and every doubt about the file.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from pipelines.decode.packet_index import Heartbeat, PacketIndex, read_index
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import digest_json
from pipelines.engine.file_memory import file_key

_WORDS = ("problem", "in_doubt", "ends_early")


def kept_index(
    path: Path, container: InputContainer, stream: VideoStream, folder: Path, heartbeat: Heartbeat
) -> PacketIndex:
    """Load a file's packet index from ``folder``, or read and keep it.

    Two processes that want the same index at the same time both read it from the file.

    Args:
        path: The file.
        container: The same file, freshly opened.
        stream: The stream to index.
        folder: Folder of the kept indexes, named by the file's path, size and time. The run that owns it removes it at
            its end: another version of FFmpeg may see other packets.
        heartbeat: Called for every packet read.
    """
    kept = folder / f"{digest_json(file_key('packets', path))[:24]}.npz"
    try:
        return _load(kept)
    except FileNotFoundError:
        pass
    listed = len(stream.index_entries)
    index = read_index(container, stream, heartbeat)
    # A container without a list of its packets at its start (Matroska, MPEG-TS, fragments) must be read through to find
    # them. With a kept index the reader would not do so: it could not seek, or would read it all without a heartbeat.
    if listed == len(index.pts):
        with replace_atomically(kept) as temporary:
            _save(index, temporary)
    return index


def _save(index: PacketIndex, file: Path) -> None:
    columns = {each.name: getattr(index, each.name) for each in fields(index)}
    columns |= {name: np.array(columns[name] or "") for name in _WORDS}
    with file.open("wb") as target:
        np.savez_compressed(target, **columns)


def _load(file: Path) -> PacketIndex:
    with np.load(file, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in stored.files}
    return PacketIndex(**{**columns, **{name: str(columns[name]) or None for name in _WORDS}})
