"""What a machine is: recorded beside the rows and warned about, never part of a key."""

from __future__ import annotations

import importlib.metadata


def versions(*distributions: str) -> dict[str, str]:
    """Installed versions by distribution name; 'missing' for one that is not installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found
