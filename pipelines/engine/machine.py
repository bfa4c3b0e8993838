"""Workers, device and network that a call may use.

They are never part of a key. Artifacts are byte-identical only for the same device type.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from data_manifests.errors import UsageError


def usable_cores() -> int:
    """Count the CPU cores this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS binds no process to cores


@dataclass(frozen=True)
class Machine:
    """Workers, device and network for one call.

    Attributes:
        workers: worker processes (decode) or threads (pictures prepared for a network).
        device: 'auto', 'cpu' or 'cuda'.
        offline: never use the network.
    """

    workers: int = 1
    device: str = "auto"
    offline: bool = False

    def resolve_device(self) -> str:
        """Return the device type, 'cuda' or 'cpu'.

        'auto' is 'cuda' where PyTorch finds a CUDA device, else 'cpu'.

        Raises:
            UsageError: the device is unknown, or it is 'cuda' and PyTorch finds no CUDA device.
        """
        if self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device {self.device}: expected auto, cpu or cuda")
        import torch

        there = torch.cuda.is_available()
        if self.device == "cuda" and not there:
            raise UsageError(
                "--device cuda: PyTorch finds no CUDA device here (xmic doctor says more); use --device auto"
            )
        return "cuda" if there and self.device != "cpu" else "cpu"
