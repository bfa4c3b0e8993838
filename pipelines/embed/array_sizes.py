"""Check the sizes that a file of arrays states.

This is done before memory is taken for them.
Zeros are compressed to a thousandth: a download of some megabytes may state arrays of gigabytes.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from data_manifests.errors import InputError

_UNCHECKED = 64 << 20
_MOST = 100
"""Times that an array may be larger than its compressed bytes. Floats come to 2, frame numbers and ids to 50."""


def refuse_large_parts(file: Path) -> None:
    """Refuse a zip archive with a part of too many bytes.

    That is one far larger than what it is stored in.
    It may be a ``.npz`` or a ``.pt``. Parts of up to 64 MiB are accepted.

    Raises:
        InputError: a part is more than 100 times as large as its bytes.
        zipfile.BadZipFile: the file is no whole zip archive.
    """
    with zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            if part.file_size > max(_UNCHECKED, _MOST * part.compress_size):
                raise InputError(
                    f"{file}: {part.filename} has {part.file_size} bytes, made of {part.compress_size}; expected at "
                    f"most {_MOST} times as many. If they are meant, save them uncompressed (numpy.savez, torch.save)."
                )


def refuse_large_arrays(file: Path) -> None:
    """Refuse a ``.npz`` whose arrays do not fit its bytes.

    Only the headers are read. Arrays of one number may stand beside the vectors.

    Raises:
        InputError: an array is larger than its part of the file, or has not one row for each vector.
        ValueError: a header is no header of an array.
        zipfile.BadZipFile: the file is no whole zip archive.
    """
    refuse_large_parts(file)
    shapes: dict[str, tuple[int, ...]] = {}
    with zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            with archive.open(part) as opened:
                version = np.lib.format.read_magic(opened)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, kind = read(opened)
            size = math.prod(shape) * kind.itemsize
            if size > part.file_size:
                raise InputError(
                    f"{file}: {part.filename} states {kind} {list(shape)}, {size} bytes, but has {part.file_size}; "
                    "get the file again."
                )
            shapes[part.filename.removesuffix(".npy")] = shape
    rows = shapes.get("vectors", ())[:1]
    for name, shape in shapes.items():
        if rows and len(shape) == 1 and shape != rows:
            raise InputError(f"{file}: {shape[0]} values of {name} for {rows[0]} vectors.")
