"""Read the size that a picture states, before it is decoded."""

from __future__ import annotations

_PNG = b"\x89PNG\r\n\x1a\n"
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
# Starts of a frame; C4, C8 and CC are other markers.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Read the width and height that a JPEG or PNG states.

    The size is found as libjpeg and libpng find it, so that they allocate no other.

    Args:
        data: the whole file.

    Returns:
        (width, height) in pixels; None where the bytes state none, so that they cannot be decoded either.
    """
    if data.startswith(_PNG):
        if data[12:16] != b"IHDR" or len(data) < 24:
            return None
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _of_jpeg(data)


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while True:
        # Bytes that belong to no marker are passed over, as libjpeg does.
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) and data[at] == 0xFF:
            at += 1
        if at < 0 or at + 8 > len(data):
            return None
        kind = data[at]
        if kind in _FRAMES:
            return int.from_bytes(data[at + 6 : at + 8], "big"), int.from_bytes(data[at + 4 : at + 6], "big")
        if kind in (_SCAN, _END):
            return None
        at += 1
        if kind and kind not in _WITHOUT_LENGTH:
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
