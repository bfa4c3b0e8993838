"""Label and kind of picture of each row that the measurement of an encoder has, per domain."""

from __future__ import annotations

KINDS = [
    ("noun", "one thing"),
    ("noun", "several things"),
    ("noun", "full frames"),
    ("noun", "hand crops"),
    ("verb", "full frames"),
    ("verb", "hand crops"),
]
