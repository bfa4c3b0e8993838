"""Rejected rows of a prepared split: what to show of them, and when they are too many."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.errors import TooManyFailures

MAX_REJECTS = 0.5
"""Of a split's rows; a few that are wrong are a fact, most of them being wrong is a wrong file."""
_UNCOUNTED = frozenset({"redacted"})


def first_of_each(rejects: pa.Table) -> dict[str, dict[str, Any]]:
    """Reason → file, row and detail of the first reject for it."""
    first: dict[str, dict[str, Any]] = {}
    for reject in rejects.to_pylist():
        first.setdefault(reject["reason"], {name: reject[name] for name in ("file", "row", "detail")})
    return first


def would_reject(split: str, rejects: pa.Table, rows: int) -> list[str]:
    """What a dry run says of the rejects of a split: a line a reason, none where there are none.

    Args:
        split: dataset and split.
        rejects: rows of :data:`data_manifests.schema.REJECTS`.
        rows: how many rows the split's files have.
    """
    counts = _by_reason(rejects)
    return [
        f"{split}: {counts[reason]} of {rows} rows rejected ({reason}); the first is {first['file']}, row "
        f"{first['row']}: {first['detail']}"
        for reason, first in first_of_each(rejects).items()
    ]


def refuse_too_many(split: str, rejects: pa.Table, rows: int, limit: int | float, rejects_file: str) -> None:
    """Raise when more rows were rejected than are allowed, or all of them.

    Args:
        split: dataset and split, for the message.
        rejects: rows of :data:`data_manifests.schema.REJECTS`; those that the dataset blanked itself do not count.
        rows: how many rows the split's files have.
        limit: a number of rows, or a share of ``rows``.
        rejects_file: where the rejects stand.

    Raises:
        TooManyFailures: names the first reject and the file of all.
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
