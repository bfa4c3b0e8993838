"""Tables of clips, as users write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ["video", "start_s", "stop_s", "verb", "noun", "split", "narration", "clip_id", "participant_id"]


def write_clips(file: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> Path:
    """A table of clips in the format that the file's ending says; columns a row lacks are empty."""
    full = [{name: row.get(name) for name in columns} for row in rows]
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    elif file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(full), file)
    else:
        comma = "," if file.suffix == ".csv" else "\t"
        cells = [["" if row[name] is None else str(row[name]).replace('"', '""') for name in columns] for row in full]
        lines = [comma.join(columns), *(comma.join(f'"{cell}"' if cell else "" for cell in line) for line in cells)]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
