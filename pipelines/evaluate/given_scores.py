"""Read class scores of any program from Parquet or CSV.

Parquet has a list of scores per clip, or one column per class as CSV has.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_manifests.errors import InputError
from data_manifests.readers.csv_files import csv_text, refuse_repeated
from data_manifests.readers.table_cells import BadCell, text, whole_number_name
from data_manifests.schema import LABELS, Label

_OF_XMIC = ("video_id", *(f"{label}_class" for label in LABELS))
"""Columns of predictions.parquet beside the scores: not read, the truth is always the manifest's."""

_MOST_DIGITS = 19
"""Digits of a class id; Python refuses to read numbers of some thousand."""
_COLUMNS = "clip_id, noun_scores and verb_scores (lists), or noun:0, noun:1, … (a class id or a class name)"


@dataclass(frozen=True)
class GivenScores:
    """Clip ids and class scores from the files of one model.

    Attributes:
        clip_ids: R ids, in the order of the files.
        scores: label → float32 [R, C], in the order of the class ids.
    """

    clip_ids: list[str]
    scores: Mapping[Label, np.ndarray]


@dataclass
class _Read:
    """One label's scores, gathered over the files."""

    ids: list[str] = field(default_factory=list)
    parts: list[np.ndarray] = field(default_factory=list)


def read_scores(
    files: Sequence[Path], classes: Mapping[Label, Sequence[str]], known: Set[str], split: str
) -> GivenScores:
    """Read the class scores of one model from its files.

    Each file may hold one label, or some of the clips.

    Args:
        files: Parquet or CSV.
        classes: label → class names of the target in the order of their ids.
        known: ids of the split's clips.
        split: 'dataset split', for messages.

    Raises:
        InputError: a file is missing or of another kind; a column or clip is unknown or repeated; a class is missing; a
            score is not a finite number; the labels have different clips. The message names file, row and column.
    """
    read: dict[Label, _Read] = {}
    first: dict[tuple[Label, str], str] = {}
    for file in files:
        ids, scores, line = _read_file(file, classes)
        ids = [clip_id if clip_id in known else _as_known(clip_id, known) for clip_id in ids]
        for row, clip_id in enumerate(ids):
            place = f"{file}, row {row + line}, column clip_id"
            if clip_id not in known:
                raise InputError(
                    f"{place}: found {clip_id!r}, which is no clip of {split}; expected ids of its clips.parquet."
                )
            for label in scores:
                before = first.setdefault((label, clip_id), place)
                if before != place:
                    raise InputError(
                        f"{place}: {clip_id!r} has {label} scores already ({before}); expected each clip once."
                    )
        for label, values in scores.items():
            of_label = read.setdefault(label, _Read())
            of_label.ids += ids
            of_label.parts.append(values)
    _refuse_unequal(files, read)
    ids = next(iter(read.values())).ids
    return GivenScores(ids, {label: _in_order_of(ids, read[label]) for label in LABELS if label in read})


def _as_known(clip_id: str, known: Set[str]) -> str:
    """Return the id of a clip; '3.0' is '3', as pandas writes numbers of a column with empty cells."""
    whole = whole_number_name(clip_id)
    return whole if whole in known else clip_id


def _refuse_unequal(files: Sequence[Path], read: Mapping[Label, _Read]) -> None:
    if len(read) < 2:
        return
    noun, verb = (set(read[label].ids) for label in LABELS)
    differing = sorted(noun ^ verb)
    if differing:
        has, lacks = ("noun", "verb") if differing[0] in noun else ("verb", "noun")
        raise InputError(
            f"{', '.join(map(str, files))}: {differing[0]!r} has {has} scores and no {lacks} scores, {len(differing)} "
            "such clips; expected both of each clip. Score the labels on their own, each with a --name."
        )


def _in_order_of(ids: Sequence[str], read: _Read) -> np.ndarray:
    row_of = {clip_id: row for row, clip_id in enumerate(read.ids)}
    values: np.ndarray = np.concatenate(read.parts)[[row_of[clip_id] for clip_id in ids]]
    return values


def _read_file(file: Path, classes: Mapping[Label, Sequence[str]]) -> tuple[list[str], dict[Label, np.ndarray], int]:
    """Return clip ids, scores and the number of the first row: line 2 of CSV, row 1 of Parquet."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected Parquet or CSV with {_COLUMNS}.")
    kinds = {".parquet": _from_parquet, ".csv": _from_csv}
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise InputError(f"{file}: found a name that ends in {file.suffix or 'nothing'!r}; expected .parquet or .csv.")
    try:
        ids, scores, line = kind(file, classes)
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read as {file.suffix.lower()[1:]} ({error}).") from None
    if not ids:
        raise InputError(f"{file}: no row in it; expected a row a clip.")
    return ids, scores, line


def _from_parquet(file: Path, classes: Mapping[Label, Sequence[str]]) -> tuple[list[str], dict[Label, np.ndarray], int]:
    refuse_repeated(str(file), pq.read_schema(file).names)
    table = pq.read_table(file)
    names = [name for name in table.column_names if name not in _OF_XMIC]
    listed = [label for label in LABELS if f"{label}_scores" in names]
    wide = _columns_of(file, [name for name in names if name not in {f"{label}_scores" for label in listed}], classes)
    both = [label for label in listed if label in wide]
    if both:
        raise InputError(f"{file}: found {both[0]}_scores and {both[0]}:… columns; expected one of the two forms.")
    ids = [_clip_id(file, row, value) for row, value in enumerate(table.column("clip_id").to_pylist(), 1)]
    scores: dict[Label, np.ndarray] = {}
    for label in listed:
        values = _list_column(file, f"{label}_scores", table, len(classes[label]))
        scores[label] = _finite(file, values, [f"{label}_scores[{n}]" for n in range(len(classes[label]))], 1)
    for label, columns in wide.items():
        values = np.stack([_numbers(file, name, table.column(name).combine_chunks()) for name in columns], 1)
        scores[label] = _finite(file, values, columns, 1)
    return ids, _some(file, scores), 1


def _list_column(file: Path, name: str, table: pa.Table, classes: int) -> np.ndarray:
    column = table.column(name).combine_chunks()
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(kind(column.type) for kind in kinds):
        raise InputError(f"{file}, column {name}: found {column.type}; expected lists of {classes} numbers.")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != classes)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{file}, row {row + 1}, column {name}: found {lengths[row]} scores; expected {classes}, one a class "
            "in the order of the class ids."
        )
    return _numbers(file, name, column.flatten()).reshape(len(lengths), classes)


def _numbers(file: Path, name: str, values: pa.Array) -> np.ndarray:
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise InputError(f"{file}, column {name}: found {values.type}; expected numbers.")
    # An empty cell becomes NaN, which is refused with its row.
    numbers: np.ndarray = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _from_csv(file: Path, classes: Mapping[Label, Sequence[str]]) -> tuple[list[str], dict[Label, np.ndarray], int]:
    found = csv_text(file)
    first = 2 + found.lines_before
    point = "," if found.delimiter == ";" else "."
    reader = csv.reader(io.StringIO(found.text, newline=""), delimiter=found.delimiter)
    names = [name.strip() for name in next(reader, [])]
    refuse_repeated(str(file), names)
    wide = _columns_of(file, [name for name in names if name not in _OF_XMIC], classes)
    place_of = {name: place for place, name in enumerate(names)}
    ids: list[str] = []
    rows: dict[Label, list[np.ndarray]] = {label: [] for label in wide}
    for number, cells in enumerate(_whole_rows(file, reader, len(names), first), first):
        ids.append(_clip_id(file, number, cells[place_of["clip_id"]]))
        for label, columns in wide.items():
            numbers = [cells[place_of[name]].replace(point, ".") for name in columns]
            rows[label].append(_row_of_numbers(file, number, columns, numbers))
    scores: dict[Label, np.ndarray] = {}
    for label, columns in wide.items():
        values = np.stack(rows[label]) if rows[label] else np.empty((0, len(columns)))
        scores[label] = _finite(file, values, columns, first)
    return ids, _some(file, scores), first


def _whole_rows(file: Path, reader: Iterator[list[str]], width: int, first: int) -> Iterator[list[str]]:
    blank = 0
    for number, cells in enumerate(reader, first):
        if not cells:
            blank = blank or number
            continue
        # Blank lines at the end are no rows; in between they would shift the numbers of the rows.
        if blank or len(cells) != width:
            row, found = (blank, 0) if blank else (number, len(cells))
            raise InputError(f"{file}, row {row}: found {found} cells; expected {width}, as in the first row.")
        yield cells


def _row_of_numbers(file: Path, number: int, columns: Sequence[str], cells: Sequence[str]) -> np.ndarray:
    try:
        if not any("_" in cell for cell in cells):  # Python reads 1_000 as a number
            return np.array([float(cell) for cell in cells])
        raise ValueError
    except ValueError:
        name, cell = next((n, c) for n, c in zip(columns, cells, strict=True) if not _is_number(c))
        wanted = "a finite number with a decimal point" if "," in cell else "a finite number"
        raise InputError(f"{file}, row {number}, column {name}: found {cell!r}; expected {wanted}.") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _columns_of(file: Path, names: Sequence[str], classes: Mapping[Label, Sequence[str]]) -> dict[Label, list[str]]:
    """Return the wide columns of each label in the order of the class ids; a label without columns is left out."""
    found: dict[Label, dict[int, str]] = {}
    if "clip_id" not in names:
        raise InputError(f"{file}: no column clip_id; found {', '.join(names[:5]) or 'nothing'}; expected {_COLUMNS}.")
    for name in names:
        if name == "clip_id":
            continue
        label, colon, text = name.partition(":")
        if label not in classes or not colon:
            raise InputError(f"{file}: found the column {name!r}; expected {_COLUMNS}.")
        number = _class_of(file, name, text, classes[label])  # type: ignore[index]
        of_label = found.setdefault(label, {})  # type: ignore[arg-type]
        if number in of_label:
            raise InputError(f"{file}: columns {of_label[number]} and {name} are both class {number}; expected one.")
        of_label[number] = name
    for label, of_classes in found.items():
        missing = [number for number in range(len(classes[label])) if number not in of_classes]
        if missing:
            name = classes[label][missing[0]]
            raise InputError(
                f"{file}: no column of {len(missing)} of {len(classes[label])} {label} classes, the first is "
                f"{label}:{missing[0]} ({name}); expected one of every class."
            )
    return {label: [of_classes[number] for number in sorted(of_classes)] for label, of_classes in found.items()}


def _class_of(file: Path, column: str, text: str, names: Sequence[str]) -> int:
    if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS:
        named = [number for number, name in enumerate(names) if name == text]
        if named and named[0] != int(text):
            raise InputError(
                f"{file}: column {column} may be the class of id {int(text)} or class {named[0]}, whose name is "
                f"{text!r}; expected lists in Parquet, {column.partition(':')[0]}_scores, in the order of the ids."
            )
        if int(text) >= len(names):
            raise InputError(f"{file}: found the column {column}; expected class ids 0 to {len(names) - 1}.")
        return int(text)
    having = [number for number, name in enumerate(names) if name.casefold() == text.casefold()]
    if len(having) > 1:
        ids = ", ".join(map(str, having))
        raise InputError(f"{file}: column {column} is the name of the classes {ids}; expected their ids instead.")
    if not having:
        raise InputError(
            f"{file}: found the column {column}; {text!r} is no class. xmic classes DATASET DATASET --csv lists them."
        )
    return having[0]


def _clip_id(file: Path, number: int, value: object) -> str:
    try:
        found = text(value, "clip_id") if not isinstance(value, str) else value
    except BadCell:
        found = None
    if not found:
        raise InputError(f"{file}, row {number}, column clip_id: found {value!r}; expected the id of a clip, a text.")
    return found


def _finite(file: Path, values: np.ndarray, columns: Sequence[str], line: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        scores = values.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(scores))
    if len(wrong):
        row, column = wrong[0].tolist()
        place = f"{file}, row {row + line}, column {columns[column]}"
        raise InputError(f"{place}: found {values[row, column]}; expected a finite number.")
    return scores


def _some(file: Path, scores: dict[Label, np.ndarray]) -> dict[Label, np.ndarray]:
    if not scores:
        raise InputError(f"{file}: no scores in it; expected {_COLUMNS}.")
    return scores
