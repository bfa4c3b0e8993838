"""Read vectors made elsewhere and their keys.

Vectors come as .npy, .npz or .pt; the keys say which frame or class a row is of.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import InputError
from data_manifests.readers.table_cells import BadCell, text
from data_manifests.readers.table_files import open_table
from pipelines.embed.array_sizes import refuse_large_arrays, refuse_large_parts
from pipelines.engine.plain_errors import in_one_line

_ENDINGS = (".npy", ".npz", ".pt")
_ROWS = 65536  # read at a time: the file may be larger than the memory
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}

SAME_COSINE = 0.999
"""Two vectors of one picture have a cosine above this; computed in two batches, they differ within float16."""


@dataclass(frozen=True)
class VectorFile:
    """Vectors of a file, with the keys of their rows.

    Attributes:
        path: where they came from.
        vectors: floats [R, D].
        columns: name → R values, as they are in the file.
        scalars: name → a single number beside them, such as ``logit_scale``.
    """

    path: Path
    vectors: np.ndarray
    columns: Mapping[str, np.ndarray]
    scalars: Mapping[str, float]

    @property
    def dim(self) -> int:
        """Width of a vector, D."""
        return int(self.vectors.shape[1])

    @property
    def normalised(self) -> bool:
        """True if every vector has length 1, to a thousandth."""
        parts = (self.vectors[start : start + _ROWS] for start in range(0, len(self.vectors), _ROWS))
        return all(np.allclose(np.linalg.norm(part.astype(np.float32), axis=1), 1, atol=1e-3) for part in parts)

    def same(self, first: int, second: int) -> bool:
        """Check whether two rows may be vectors of one picture.

        They may differ as float16 does: by no more than vectors of one length with a cosine of :data:`SAME_COSINE`.
        """
        one, two = self.vectors[first].astype(np.float64), self.vectors[second].astype(np.float64)
        longest = max(np.linalg.norm(one), np.linalg.norm(two))
        apart = np.linalg.norm(one - two)
        return bool(apart == 0 or apart < np.sqrt(2 * (1 - SAME_COSINE)) * longest)

    def texts(self, name: str) -> list[str]:
        """Return a column of ids or names.

        Raises:
            InputError: the column is missing, or a cell is empty or no text or number; names the row, from 0.
        """
        found = []
        for row, value in enumerate(self._column(name).tolist()):
            try:
                one = text(value, name)
            except BadCell as error:
                raise InputError(f"{self.path}: row {row}: {error}.") from None
            if one is None:
                raise InputError(f"{self.path}: row {row}: {name} is empty.")
            found.append(one)
        return found

    def flags(self, name: str) -> np.ndarray:
        """Return a column of truth values: true or false, 1 or 0.

        Raises:
            InputError: the column is missing, or a cell is neither; names the row, from 0.
        """
        found = [_FLAGS.get(str(value).strip().lower()) for value in self._column(name).tolist()]
        if None in found:
            raise InputError(f"{self.path}: row {found.index(None)}: {name} is neither true nor false.")
        return np.array(found, bool)

    def numbers(self, name: str, whole: bool = False) -> np.ndarray:
        """Return a column of numbers.

        Args:
            name: of the column.
            whole: accept whole numbers only.

        Returns:
            float64 [R], or int64 [R] if ``whole``.

        Raises:
            InputError: the column is missing, or a cell is no such number; names the row, from 0.
        """
        found = self._column(name)
        for row, value in enumerate(found.tolist()):
            try:
                number = float(value)  # which takes 1_000 and True too
                good = np.isfinite(number) and (not whole or number.is_integer()) and not isinstance(value, bool)
                good = good and "_" not in str(value)
            except (TypeError, ValueError):
                good = False
            if not good:
                expected = "a whole number" if whole else "a number"
                raise InputError(f"{self.path}: row {row}: {name} is {value!r}; expected {expected}.")
        return found.astype(np.float64).astype(np.int64 if whole else np.float64)

    def _column(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise InputError(
                f"{self.path}: there is no {name}; beside the vectors there is {', '.join(self.columns) or 'nothing'}."
            )
        return self.columns[name]


def read_vectors(file: Path, keys: Path | None = None) -> VectorFile:
    """Read vectors and their keys.

    No code in the file is executed.

    Args:
        file: ``.npy`` with an array [R, D]; ``.npz`` or ``.pt`` with ``vectors`` [R, D] and a column of R values for
            each key; ``.pt`` may be the tensor alone.
        keys: a table with a row for each vector, for a file that holds vectors only.

    Raises:
        InputError: the file is of another kind, or has not as many keys as vectors.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected vectors ({', '.join(_ENDINGS)}).")
    kind = file.suffix.lower()
    if kind not in _ENDINGS:
        raise InputError(f"{file}: vectors come as {', '.join(_ENDINGS)}, not {kind or 'without an ending'}.")
    parts = _torch_parts(file) if kind == ".pt" else _numpy_parts(file)
    if "vectors" not in parts:
        raise InputError(f"{file}: there is no 'vectors' in it, only {', '.join(parts) or 'nothing'}.")
    vectors = np.asarray(parts.pop("vectors"))
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or 0 in vectors.shape:
        raise InputError(f"{file}: vectors are {vectors.dtype} {list(vectors.shape)}; expected floats [rows, width].")
    scalars = {name: float(part) for name, part in parts.items() if part.ndim == 0 and part.dtype.kind in "fiu"}
    columns = {name: part for name, part in parts.items() if part.ndim == 1}
    if keys is not None:
        if columns:
            raise InputError(f"{file} has keys of its own ({', '.join(columns)}); leave --keys {keys} out.")
        columns = _table(keys)
    for name, column in columns.items():
        if len(column) != len(vectors):
            raise InputError(f"{keys or file}: {len(column)} values of {name} for {len(vectors)} vectors.")
    return VectorFile(file, vectors, columns, scalars)


def _numpy_parts(file: Path) -> dict[str, np.ndarray]:
    try:
        if file.suffix.lower() == ".npy":
            found: dict[str, Any] = {"vectors": np.load(file, mmap_mode="r", allow_pickle=False)}
        else:
            refuse_large_arrays(file)
            with np.load(file, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        for name, part in found.items():
            if not isinstance(part, np.ndarray):
                raise TypeError(f"{name} is no array")
    except InputError:
        raise
    # A damaged or hostile file can make numpy and zipfile fail in any way; none of them may look like a bug of ours.
    except Exception as error:
        raise InputError(
            f"{file}: not read ({in_one_line(error)}). Arrays of objects are not; save ids as an array of text."
        ) from None
    return found


def _torch_parts(file: Path) -> dict[str, np.ndarray]:
    import torch

    try:
        if zipfile.is_zipfile(file):
            refuse_large_parts(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
        parts = found if isinstance(found, dict) else {"vectors": found}
        return {str(name): _array(file, str(name), part) for name, part in parts.items()}
    except InputError:
        raise
    # A damaged or hostile file can make the unpickler fail in any way; none of them may look like a bug of ours.
    except Exception as error:
        raise InputError(
            f"{file}: not read ({in_one_line(error)}). Only tensors, lists, texts and numbers are."
        ) from None


def _array(file: Path, name: str, part: Any) -> np.ndarray:
    import torch

    if isinstance(part, torch.Tensor):
        if part.layout != torch.strided or part.numel() * part.element_size() > part.untyped_storage().nbytes():
            raise InputError(f"{file}: {name} is not stored number by number; save a plain tensor: NAME.contiguous().")
        return (part.float() if part.is_floating_point() else part).detach().numpy()
    if isinstance(part, (str, int, float)) or (
        isinstance(part, (list, tuple)) and all(isinstance(one, (str, int, float)) for one in part)
    ):
        return np.array(part)
    raise InputError(f"{file}: {name} is {type(part).__name__}; expected a tensor, or a list of texts or numbers.")


def _table(file: Path) -> dict[str, np.ndarray]:
    names, rows = open_table(file)
    columns = {}
    for name in names:
        # An array of objects, so that no cell becomes a text or a float because of the others.
        columns[name] = np.empty(len(rows), object)
        columns[name][:] = [row.get(name) for _, row in rows]
    return columns
