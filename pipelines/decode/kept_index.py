"""The packet index of a file that several videos lie in: demuxed once, kept in a folder, taken from there by the rest.

An Ego4D clip is a minute or a few of a recording of hours. Its frames are chosen by the index of the whole file,
so that the first displayed frame, the end and every doubt about the file are the same for all clips of it.
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


def kept_index(
    path: Path, container: InputContainer, stream: VideoStream, folder: Path, heartbeat: Heartbeat
) -> PacketIndex:
    """The packet index of a file, from ``folder`` where it was kept, else read and kept there.

    Two processes that want the same index at the same time both read it.

    Args:
        path: The file.
        container: The same, freshly opened.
        stream: The stream to index.
        folder: Where indexes are kept, by the file's place, size and time. Made by whom it belongs to, and removed
            after the run: another version of FFmpeg may see other packets.
        heartbeat: Called for every packet read.
    """
    kept = folder / f"{digest_json(file_key('packets', path))[:24]}.npz"
    try:
        return _load(kept)
    except FileNotFoundError:
        pass
    listed = len(stream.index_entries)
    index = read_index(container, stream, heartbeat)
    # A container that does not list its packets at its start (Matroska, MPEG-TS, fragments) learns where they are
    # by being read through: opened anew it could not seek, or would read all of it without a heartbeat to do so.
    if listed == len(index.pts):
        with replace_atomically(kept) as temporary:
            _save(index, temporary)
    return index


def _save(index: PacketIndex, file: Path) -> None:
    columns = {each.name: getattr(index, each.name) for each in fields(index)}
    columns["problem"] = np.array(index.problem or "")
    with file.open("wb") as target:
        np.savez_compressed(target, **columns)


def _load(file: Path) -> PacketIndex:
    with np.load(file, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in stored.files}
    return PacketIndex(**{**columns, "problem": str(columns["problem"]) or None})
