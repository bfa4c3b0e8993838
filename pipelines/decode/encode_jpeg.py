"""Encode frames as JPEG, and decode JPEG and PNG.

The JPEGs are baseline with 4:2:0 chroma; the same pixels give the same bytes.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from data_manifests.errors import InputError

_PNG = b"\x89PNG\r\n\x1a\n"


def to_jpeg(rgb: np.ndarray, quality: int) -> bytes:
    """Encode a picture as baseline JPEG with 4:2:0 chroma.

    Args:
        rgb: uint8 ``[H, W, 3]``, RGB.
        quality: 1 to 100.

    Raises:
        InputError: The array has another type or shape, a side is empty or longer than JPEG's 65,535 pixels, or the
            encoder fails.
    """
    good = rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3
    if not good or not (0 < rgb.shape[0] < 65536 and 0 < rgb.shape[1] < 65536):
        raise InputError(
            f"JPEG: got {rgb.dtype} {list(rgb.shape)}; expected uint8 [H, W, 3] with sides of 1 to 65,535 pixels"
        )
    parameters = [
        (cv2.IMWRITE_JPEG_QUALITY, quality),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 0),
        (cv2.IMWRITE_JPEG_OPTIMIZE, 0),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    ]
    flat = [value for pair in parameters for value in pair]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), flat)
    if not done:
        raise InputError(f"JPEG: the encoder refused a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels")
    return data.tobytes()


def from_jpeg(data: bytes) -> np.ndarray:
    """Decode JPEG bytes to an RGB picture.

    EXIF rotation is not applied.

    Returns:
        uint8 ``[H, W, 3]``, RGB.

    Raises:
        InputError: The bytes are no JPEG, or a JPEG that is cut off or damaged in its header.
    """
    # OpenCV fills the rest of a cut-off JPEG with grey and only warns: the end marker must be there.
    whole = data[:3] == b"\xff\xd8\xff" and b"\xff\xd9" in data[-64:]
    picture = _rgb_of(data) if whole else None
    if picture is None:
        raise InputError(
            f"JPEG: {len(data)} bytes starting with {data[:3].hex(' ') or 'nothing'} are not a whole JPEG; "
            "expected ff d8 ff first and ff d9 at the end, get the picture again"
        )
    return picture


def _rgb_of(data: bytes) -> np.ndarray | None:
    """Decode a picture as it is stored; None where OpenCV cannot."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:  # damage to its size: OpenCV refuses more than 2³⁰ pixels
        return None
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def is_png(data: bytes) -> bool:
    """Check by its first bytes whether a picture is a PNG."""
    return data.startswith(_PNG)


def from_png(data: bytes) -> np.ndarray:
    """Decode PNG bytes to an RGB picture.

    Transparency is left out, grey and palettes become RGB, and 16 bits become 8.

    Returns:
        uint8 ``[H, W, 3]``, RGB.

    Raises:
        InputError: The bytes are no PNG, or one that is cut off or damaged.
    """
    picture = _rgb_of(data) if _is_whole_png(data) else None
    if picture is None:
        raise InputError(
            f"PNG: {len(data)} bytes starting with {data[:8].hex(' ') or 'nothing'} are not a whole PNG; "
            "expected its parts with their checksums up to IEND, get the picture again"
        )
    return picture


def _is_whole_png(data: bytes) -> bool:
    """Check the checksums of all parts: OpenCV shows what it has of a damaged PNG."""
    at = len(_PNG)
    while is_png(data) and at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body, end = data[at + 4 : at + 8 + size], at + 12 + size
        if end > len(data) or zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if body[:4] == b"IEND":
            return True
        at = end
    return False
