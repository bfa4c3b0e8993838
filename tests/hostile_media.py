"""Small files that ask for much: frames of huge sides, arrays of zeros, links out of a folder."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pipelines.decode.encode_jpeg import to_jpeg


def large_gif(width: int, height: int, frames: int = 3) -> bytes:
    """A GIF with a canvas of this size; each frame paints one pixel of it."""
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    for _ in range(frames):
        data += b"!\xf9\x04\x00\x0a\x00\x00\x00," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return data + b";"


def large_jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose header states this size."""
    data = bytearray(to_jpeg(np.full((64, 64, 3), 90, np.uint8), 90))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def large_png(width: int, height: int) -> bytes:
    """A PNG whose header states this size, of a few rows of zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zeros_npz(file: Path, rows: int, width: int, stated_rows: int | None = None) -> None:
    """A compressed ``.npz`` of zeros, whose header may state another number of rows than there are."""
    header = io.BytesIO()
    kind = {"descr": "<f4", "fortran_order": False, "shape": (stated_rows or rows, width)}
    np.lib.format.write_array_header_1_0(header, kind)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", header.getvalue() + bytes(4 * rows * width))
