"""Find the files whose frames earlier versions chose otherwise.

Only their shards are made again."""

from __future__ import annotations

import re
from pathlib import Path

_RAW = frozenset({".h264", ".264", ".avc", ".hevc", ".h265", ".265"})
_HEAD_BYTES = 1 << 16
_HANDLER = re.compile(rb"vids(?:h264|x264|avc1|davc|vssh|hevc|hvc1|h265|x265|hev1)", re.IGNORECASE)
_PACKED = re.compile(rb"DivX\d+[b_]\d+p")

ORDER_OF_OUTPUT = "frames in order of output"
"""Part of the identity of such a file."""


def read_anew(path: Path) -> bool:
    """Check whether earlier versions chose other frames of a file.

    It is so for H.264 and HEVC in AVI, packed MPEG-4 in AVI, and raw streams, which were refused. The first bytes of an
    AVI name its codec.
    """
    if path.suffix.lower() in _RAW:
        return True
    if path.suffix.lower() != ".avi":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return bool(_HANDLER.search(head) or _PACKED.search(head))
