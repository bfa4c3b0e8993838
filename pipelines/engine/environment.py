"""Read the installed versions of a machine.

They are recorded beside the rows and warned about, and are never part of a key.
"""

from __future__ import annotations

import importlib.metadata


def versions(*distributions: str) -> dict[str, str]:
    """Return the installed versions by distribution name; 'missing' where not installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def cpu_capability() -> str:
    """Return the CPU's instructions that PyTorch uses: 'AVX2', 'AVX512', …"""
    import torch

    return str(torch.backends.cpu.get_cpu_capability())
