"""Find MPEG files that end in the middle of a packet.

MPEG-TS and MPEG-PS state no length. But they consist of packets, and a download is nearly never cut off between two.
"""

from __future__ import annotations

from pathlib import Path

_FORMS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet of MPEG-TS, and of what lies before its first byte."""
_PACKETS = 8
"""Packets in a row that show the form of a file."""
_TAIL = 1 << 20
_PACK, _END = 0xBA, 0xB9


def cut_in_packet(path: Path, name: str) -> str | None:
    """Check whether an MPEG file ends in the middle of a packet.

    MPEG-TS and MPEG-PS are looked at.

    Args:
        path: the file.
        name: of its format, as FFmpeg has it.

    Returns:
        The error with both numbers; None where the last packet is whole, or nothing can be said.
    """
    check = {"mpegts": _lacks_of_ts, "mpeg": _lacks_of_ps}.get(name)
    found = check(path) if check is not None and path.is_file() else None
    if found is None:
        return None
    there, whole = found
    return f"the file ends {there} bytes into a packet of {whole} bytes, so it is cut off; get it again"


def _lacks_of_ts(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        head = file.read(2 * _FORMS[-1][0] + _PACKETS * _FORMS[-1][0])
    for length, before in _FORMS:
        for first in range(length):
            if all(head[first + number * length : first + number * length + 1] == b"G" for number in range(_PACKETS)):
                there = (path.stat().st_size - first + before) % length
                return (there, length) if there else None
    return None


def _lacks_of_ps(path: Path) -> tuple[int, int] | None:
    """Walk through the packets of the end of a file, from the last pack on."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    at = tail.rfind(bytes((0, 0, 1, _PACK)))
    while 0 <= at < len(tail):
        head = tail[at : at + 14]
        if head[:3] != b"\0\0\1"[: len(head)]:
            return None  # padding, or bytes of something else
        whole = _length(head)
        if at + whole > len(tail):
            return len(tail) - at, whole
        at += whole
    return None


def _length(head: bytes) -> int:
    """Return the bytes of a packet that begins with these; at least, where its length is cut off."""
    kind = head[3] if len(head) > 3 else _END
    if kind == _END:
        return 4
    if kind == _PACK:
        second = len(head) > 4 and head[4] >> 6 == 1  # MPEG-2
        return 14 + (head[13] & 7 if len(head) > 13 else 0) if second else 12
    return 6 + (int.from_bytes(head[4:6], "big") if len(head) > 5 else 0)
