"""Damage annotation files of every reader, and count what becomes of their rows.

Each row of a split file must become a clip or a reject, wherever its rows can be counted without the reader. A file
that is not of the format is refused by an XmicError. Anything else is a bug. All inputs are made here.

    python -m tests.reliability.fuzz_tables --mutants 10000 --seed 0 --write
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_manifests.errors import XmicError
from data_manifests.readers import Reader, SplitRows
from data_manifests.readers.ego4d import Ego4dReader
from data_manifests.readers.egtea import EgteaReader
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.holdout import Holdout
from data_manifests.readers.table import TableReader
from tests.data_manifests import ego4d_files, egtea_files, epic_files
from tests.data_manifests.clip_tables import write_clips
from tests.reliability import page
from tests.reliability.fuzz_loaders import json_mutants, mutant

_CELLS = (
    "", " ", "0", "-1", "1e999", "nan", "inf", "9" * 40, "0x10", "1_000", "٣", "1,5", "00:00:01.00", "99:99:99.99",
    "1500f", "../../x.mp4", "/etc/passwd", "a\0b", "\ufeff", "\u202e", "=1+1", "'", '"', "[", "['a'", "[0, 1]",
    r"['\ud800']", "[99]", "None", "null", "true", "train", "val", "x" * 3000, "a\nb", "a\r\nb", "é", "\ud7ff", ";",
    "\t", "-0.0", "1e-9",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (None, True, -1, 2**70, 1.5, float("nan"), float("inf"), [], {}, [1], {"a": 1}, b"x".hex())


@dataclass(frozen=True)
class Case:
    """Annotation files of a reader, one of which is damaged.

    Attributes:
        name: of the kind of file.
        make: writes the good files into a folder and returns the one that is damaged.
        open: makes the reader of that folder's files.
        splits: the splits whose rows are in the damaged file; none where it has no rows of clips.
        count: rows of clips in the bytes of the damaged file; returns None where they cannot be counted.
    """

    name: str
    make: Callable[[Path], Path]
    open: Callable[[Path], Reader]
    splits: Sequence[str] = ()
    count: Callable[[bytes], int | None] | None = None


@dataclass
class Outcome:
    """What became of the mutants of one kind."""

    read: int = 0
    counted: int = 0
    refused: int = 0
    clips: int = 0
    rejects: int = 0
    bugs: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.read + self.refused + len(self.bugs)


def _csv_rows(data: bytes) -> int | None:
    """Rows of a csv below its header, of a file that has plain commas and quotes."""
    try:
        text = data.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True))
    except (ValueError, csv.Error):
        return None
    if not rows or text.lstrip('"').lower().startswith("sep="):
        return None
    width = next((len(row) for row in rows if row), 0)
    return sum(1 for row in rows if row and not (row == [""] and width > 1)) - 1 if width > 1 else None


def _json_rows(data: bytes) -> int | None:
    try:
        content = json.loads(data)
        return len(content["clips"]) if isinstance(content["clips"], list) else None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def _text_rows(data: bytes) -> int | None:
    try:
        return sum(1 for line in data.decode("utf-8-sig").split("\n") if line.strip())
    except ValueError:
        return None


def _jsonl_rows(data: bytes) -> int | None:
    try:
        return sum(1 for line in data.decode("utf-8-sig").split("\n") if line.strip())
    except ValueError:
        return None


def _parquet_rows(data: bytes) -> int | None:
    try:
        return int(pq.read_metadata(io.BytesIO(data)).num_rows)
    except Exception:
        return None


def _epic(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        rows = [epic_files.row(f"P9{n % 3}_10{n % 2}_{n}", noun_class=str(n % 3)) for n in range(8)]
        return epic_files.write_epic(folder / "csv", {"val": rows, "test": rows}) / name

    return make


def _ego4d(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        clips = [ego4d_files.entry(f"clip-{n % 2}", n, action_clip_start_sec=n * 1.0) for n in range(5)]
        if name == "ego4d.json":
            ego4d_files.write_metadata(folder / "json" / name, {"recording-1": [(100.0, 130.0)]})
        return ego4d_files.write_ego4d(folder / "json", {"val": clips}) / name

    return make


def _egtea(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        lines = [egtea_files.line(n, ("2 2 4", "1 1 3 1", "3 3 2")[n % 3]) for n in range(1, 9)]
        return egtea_files.write_egtea(folder / "txt", {"test_split1": lines}) / name

    return make


def _table(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        rows = [
            {
                "video": f"a/{n % 3}.mp4",
                "start_s": 1.0 * n,
                "stop_s": 1.0 * n + 2,
                "verb": ("cut", "stir")[n % 2],
                "noun": ("cup", "pan", "lid")[n % 3],
                "all_nouns": "['cup', 'pan']" if n % 2 else "",
                "narration": f"row {n}",
            }
            for n in range(8)
        ]
        columns = ["video", "start_s", "stop_s", "verb", "noun", "all_nouns", "narration"]
        (folder / "nouns.txt").write_text("cup\npan\nlid\n")
        return write_clips(folder / name, rows, columns)

    return make


def _as_val(file: Path) -> Reader:
    return TableReader([(file, "val")])


def _names(folder: Path) -> Path:
    _table("t.csv")(folder)
    return folder / "nouns.txt"


def _with_names(file: Path) -> Reader:
    return TableReader([(file.parent / "t.csv", "val")], class_files={"noun": file})


def _held_out(file: Path) -> Reader:
    return TableReader([(file, None)], holdout=Holdout.parse("30%"))


CASES = (
    Case("EPIC validation csv", _epic("EPIC_100_validation.csv"), lambda f: EpicReader(f.parent), ["val"], _csv_rows),
    Case("EPIC test csv", _epic("EPIC_100_test_timestamps.csv"), lambda f: EpicReader(f.parent), ["test"], _csv_rows),
    Case("EPIC noun classes", _epic("EPIC_100_noun_classes.csv"), lambda f: EpicReader(f.parent)),
    Case("Ego4D json", _ego4d("fho_lta_val.json"), lambda f: Ego4dReader(f.parent), ["val"], _json_rows),
    Case("Ego4D taxonomy", _ego4d("fho_lta_taxonomy.json"), lambda f: Ego4dReader(f.parent)),
    Case("Ego4D metadata", _ego4d("ego4d.json"), lambda f: Ego4dReader(f.parent)),
    Case("EGTEA split", _egtea("test_split1.txt"), lambda f: EgteaReader(f.parent), ["test"], _text_rows),
    Case("EGTEA noun index", _egtea("noun_idx.txt"), lambda f: EgteaReader(f.parent)),
    Case("EGTEA action index", _egtea("action_idx.txt"), lambda f: EgteaReader(f.parent)),
    Case("table .csv", _table("t.csv"), _as_val, ["val"], _csv_rows),
    Case("table .tsv", _table("t.tsv"), _as_val),
    Case("table .jsonl", _table("t.jsonl"), _as_val, ["val"], _jsonl_rows),
    Case("table .parquet", _table("t.parquet"), _as_val, ["val"], _parquet_rows),
    Case("table .csv, held out", _table("t.csv"), _held_out, ["train", "val"], _csv_rows),
    Case("class names .txt", _names, _with_names),
)


def _cell_mutant(file: Path, good: bytes, rng: random.Random) -> bytes | None:
    """Change cells, rows and columns of a table, which stays one; None for other kinds of files."""
    kind = file.suffix
    if kind in (".csv", ".tsv"):
        comma = "," if kind == ".csv" else "\t"
        rows = list(csv.reader(io.StringIO(good.decode()), delimiter=comma))
        _change(rows, rng, _CELLS)
        text = io.StringIO()
        csv.writer(text, delimiter=comma, lineterminator=rng.choice(("\n", "\r\n"))).writerows(rows)
        return text.getvalue().encode("utf-8", "surrogatepass")
    if kind == ".txt":
        lines = [line.split(" ") for line in good.decode().splitlines()]
        _change(lines, rng, _CELLS)
        return "\n".join(" ".join(line) for line in lines).encode("utf-8", "surrogatepass")
    if kind == ".parquet":
        table = pq.read_table(io.BytesIO(good))
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(list(columns))
            value = rng.choice((*_CELLS, *_VALUES))
            how = rng.randrange(4)
            columns[name] = [value] * table.num_rows if how == 0 else columns[name]
            columns[name] = [str(each) for each in columns[name]] if how == 1 else columns[name]
            columns[name][rng.randrange(table.num_rows)] = value if how == 2 else columns[name][0]
            if how == 3:
                columns[rng.choice((*_CELLS, "split", "clip_id"))] = columns.pop(name)
        try:
            sink = io.BytesIO()
            pq.write_table(pa.table(columns), sink)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            return None
        return sink.getvalue()
    return None


def _change(rows: list[list[str]], rng: random.Random, cells: Sequence[str]) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(rows))
        row, how = rows[at], rng.randrange(8)
        if how < 4 and row:
            row[rng.randrange(len(row))] = rng.choice(cells)
        elif how == 4:
            rows.insert(rng.randrange(len(rows)), list(row))
        elif how == 5 and len(rows) > 1:
            del rows[at]
        elif how == 6 and row:
            other = rng.randrange(len(row))
            for each in rows:
                if other < len(each):
                    each[other], each[0] = each[0], each[other]
        elif row:
            value = rng.choice(cells)
            row.insert(rng.randrange(len(row) + 1), value) if rng.random() < 0.5 else row.pop()


def _damaged(file: Path, good: bytes, structured: Sequence[bytes], rng: random.Random, number: int) -> bytes:
    if number % 2:
        if structured:
            return rng.choice(structured)
        changed = _cell_mutant(file, good, rng)
        if changed is not None:
            return changed
    return mutant(good, rng)


def _read(reader: Reader) -> dict[str, SplitRows]:
    """Read all that ``prepare`` reads, and look for the places of each video."""
    found = {split: reader.read(split) for split in reader.splits()}
    reader.classes()
    for split, rows in found.items():
        reader.files(split)
        videos = sorted(set(rows.clips.column("video_id").to_pylist()))
        for video in videos:
            reader.video_places(video)
            reader.video_facts(video)
        reader.downloader_list(videos)
    return found


def run_case(case: Case, mutants: int, seed: int, work: Path) -> Outcome:
    """Read good files, which must work, and so many mutants of one of them."""
    rng, outcome = random.Random(f"{seed} {case.name}"), Outcome()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    file = case.make(work)
    good = file.read_bytes()
    structured = list(json_mutants(good)) if file.suffix == ".json" else []
    _account(case, _read(case.open(file)), good, Outcome())
    for number in range(mutants):
        data = _damaged(file, good, structured, rng, number)
        file.write_bytes(data)
        try:
            _account(case, _read(case.open(file)), data, outcome)
        except XmicError:
            outcome.refused += 1
        except Exception as error:
            (work.parent / f"{case.name.replace(' ', '-')}-{number}{file.suffix}").write_bytes(data)
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {str(error)[:100]} at {Path(last.filename).name}:{last.lineno}"
            outcome.bugs.append(f"{case.name}, mutant {number}: {what}")
    return outcome


class Lost(Exception):
    """Rows that became neither a clip nor a reject."""


def _account(case: Case, found: dict[str, SplitRows], data: bytes, outcome: Outcome) -> None:
    clips, rejects = 0, 0
    for rows in found.values():
        if len(rows.origins) != rows.clips.num_rows:
            raise Lost(f"{len(rows.origins)} origins of {rows.clips.num_rows} clips")
    of_file = [found[split] for split in case.splits if split in found]
    if of_file:
        clips, rejects = (sum(getattr(rows, what).num_rows for rows in of_file) for what in ("clips", "rejects"))
        there = case.count(data) if case.count else None
        if there is not None:
            if there != clips + rejects:
                raise Lost(f"{there} rows became {clips} clips and {rejects} rejects")
            outcome.counted += 1
    outcome.read += 1
    outcome.clips += clips
    outcome.rejects += rejects


_ABOUT = (
    "Annotation files of every reader are damaged: bytes are flipped, cut, repeated or overwritten, and cells, rows "
    "and columns of tables and values of JSON are replaced. Each row of a file that is read must become a clip or a "
    "reject. The rows are counted without the reader, where the damaged file still is of its format. A file that is "
    "refused ends in one error that names it.",
)


def main() -> None:
    """Run all cases and print what became of the rows."""
    given = page.mutant_arguments(__doc__, 10_000)
    warnings.simplefilter("ignore")
    cases = [case for case in CASES if given.only in case.name]
    place, table, wrong = Path(tempfile.mkdtemp(prefix="tables-")), [], []
    for case in cases:
        found = run_case(case, -(-given.mutants // len(cases)), given.seed, place / "work")
        row = [found.tried, found.read, found.counted, found.clips, found.rejects, found.refused, len(found.bugs)]
        table.append([case.name, *row])
        wrong += found.bugs
        print(case.name, *row, flush=True)
    table.append(["all", *(sum(row[column] for row in table) for column in range(1, 8))])
    if given.write:
        about = f"python -m tests.reliability.fuzz_tables --mutants {given.mutants} --seed {given.seed}"
        summary = f"{table[-1][1]} damaged files; wrong: {len(wrong)}."
        head = ["file", "mutants", "read", "counted", "clips", "rejects", "refused", "wrong"]
        page.record("tables", page.Found("Annotation files", _ABOUT, about, summary, head, table, wrong))
    if wrong:
        sys.exit("\n".join([*wrong, f"files in {place}"]))
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
