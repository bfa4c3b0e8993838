"""Report the rejected rows of a split, and refuse too many."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.errors import TooManyFailures

MAX_REJECTS = 0.5
"""Share of a split's rows that may be rejected. A few wrong rows are a fact; if most are wrong, the file is wrong."""
_UNCOUNTED = frozenset({"redacted"})


def first_of_each(rejects: pa.Table) -> dict[str, dict[str, Any]]:
    """Return the first reject of each reason.

    Returns:
        Reason → its file, row and detail.
    """
    first: dict[str, dict[str, Any]] = {}
    for reject in rejects.to_pylist():
        first.setdefault(reject["reason"], {name: reject[name] for name in ("file", "row", "detail")})
    return first


def would_reject(split: str, rejects: pa.Table, rows: int) -> list[str]:
    """List the rejects of a split for a dry run.

    There is one line per reason, and none without rejects.

    Args:
        split: dataset and split, for the lines.
        rejects: rows of :data:`data_manifests.schema.REJECTS`.
        rows: number of rows in the split's files.
    """
    counts = _by_reason(rejects)
    return [
        f"{split}: {counts[reason]} of {rows} rows rejected ({reason}); the first is {first['file']}, row "
        f"{first['row']}: {first['detail']}"
        for reason, first in first_of_each(rejects).items()
    ]


def refuse_too_many(split: str, rejects: pa.Table, rows: int, limit: int | float, rejects_file: str) -> None:
    """Refuse a split whose rejected rows are too many, or all.

    Args:
        split: dataset and split, for the message.
        rejects: rows of :data:`data_manifests.schema.REJECTS`; those that the dataset blanked itself do not count.
        rows: number of rows in the split's files.
        limit: a number of rows (int), or a share of ``rows`` (float).
        rejects_file: path of the file with all rejects, for the message.

    Raises:
        TooManyFailures: too many rows are rejected; the text names the first reject and the file of all.
    """
    counts = {reason: count for reason, count in _by_reason(rejects).items() if reason not in _UNCOUNTED}
    rejected = sum(counts.values())
    allowed = limit * rows if isinstance(limit, float) else limit
    if not rejected or (rejected <= allowed and rejected < rows):
        return
    first = next(item for item in rejects.to_pylist() if item["reason"] in counts)
    shown = f"{100 * limit:g} %" if isinstance(limit, float) else str(limit)
    raise TooManyFailures(
        f"{split}: {rejected} of {rows} rows are rejected "
        f"({', '.join(f'{count} {reason}' for reason, count in sorted(counts.items()))}); --max-failures allows {shown}"
        f"{', and never all' if rejected <= allowed else ''}. The first is {first['file']}, row {first['row']}: "
        f"{first['detail']}. All are in {rejects_file}; the rest of the manifest is written."
    )


def _by_reason(rejects: pa.Table) -> dict[str, int]:
    return {item["values"]: item["counts"] for item in pc.value_counts(rejects.column("reason")).to_pylist()}
