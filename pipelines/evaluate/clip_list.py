"""Read the list of clips that an evaluation is restricted to."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from data_manifests.readers.csv_files import read_csv, refuse_repeated
from data_manifests.readers.table_cells import BadCell, text
from data_manifests.readers.text_files import text_of
from pipelines.engine.digest import whole_file_sha256


@dataclass(frozen=True)
class ClipList:
    """Clip ids of one file, to which an evaluation is restricted.

    Attributes:
        path: the file.
        sha256: of its bytes, hex.
        ids: the clip ids in it.
    """

    path: Path
    sha256: str
    ids: frozenset[str]

    def refuse_unknown(self, known: Iterable[Set[str]]) -> None:
        """Refuse ids that are no clip of any target.

        Args:
            known: the clip ids of each target.

        Raises:
            InputError: some are not; names the first.
        """
        unknown = sorted(self.ids.difference(*known))
        if unknown:
            raise InputError(
                f"--clips {self.path}: {len(unknown)} of {len(self.ids)} ids are no clip of what is evaluated, the "
                f"first is {unknown[0]!r}. Expected ids of the manifest's clips.parquet; see --cross and --split."
            )


def read_clip_list(file: Path) -> ClipList:
    """Read the clip ids that an evaluation is restricted to.

    In Parquet and CSV they are the column ``clip_id``; any other file has one id per line.

    Raises:
        InputError: the file is missing, cannot be read, or has no such column or no id.
    """
    if not file.is_file():
        raise InputError(f"--clips {file}: no such file; expected a clip id a line, or Parquet or CSV with clip_id.")
    readers = {".parquet": _from_parquet, ".csv": _from_csv}
    try:
        ids = frozenset(one for one in readers.get(file.suffix.lower(), _from_lines)(file) if one)
    except BadCell as error:
        raise InputError(f"--clips {file}: {error}.") from None
    except pa.ArrowException as error:
        raise InputError(f"--clips {file}: cannot be read as {file.suffix or 'text'} ({error})") from None
    if not ids:
        raise InputError(f"--clips {file}: no clip id in it.")
    return ClipList(file, whole_file_sha256(file), ids)


def _from_parquet(file: Path) -> list[str | None]:
    names = pq.read_schema(file).names
    refuse_repeated(str(file), names)
    if "clip_id" not in names:
        raise _no_column(file, names)
    return [text(value, "clip_id") for value in pq.read_table(file, columns=["clip_id"]).column(0).to_pylist()]


def _from_csv(file: Path) -> list[str | None]:
    rows = read_csv(file)
    names = [name.strip() for name in next(rows, (1, []))[1]]
    if "clip_id" not in names:
        raise _no_column(file, names)
    return [cells[names.index("clip_id")].strip() for _, cells in rows]


def _from_lines(file: Path) -> list[str | None]:
    return [line.strip() for line in text_of(file).splitlines()]


def _no_column(file: Path, found: Iterable[str]) -> InputError:
    return InputError(f"--clips {file}: no column clip_id; found {', '.join(found) or 'nothing'}.")
