"""Tell videos that xmic drew itself from videos that somebody recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

WORLD_FILE = "pocket.json"
"""What Pocket Kitchens leaves in the folder of a world: its version, seed and size."""

_KEYS = {"version", "seed", "per_video"}
"""What tells it from another file of that name: a model's configuration may have it, too."""

_FARTHEST = 3
"""A video root is the world's folder or lies so many folders below it at most: ``ego4d/v2/clips``."""


def all_drawn(roots: Iterable[str | Path]) -> bool:
    """Tell whether all videos lie in drawn worlds.

    Args:
        roots: folders of videos. Those that are gone say nothing; if all of them are, the answer is no.
    """
    there = [root.resolve() for root in map(Path, roots) if root.is_dir()]
    return bool(there) and all(any(map(_is_world, [root, *root.parents][: _FARTHEST + 1])) for root in there)


def _is_world(folder: Path) -> bool:
    try:
        found = json.loads((folder / WORLD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= _KEYS
