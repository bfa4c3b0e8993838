"""Workers, device and network that a call may use.

They are never part of a key. Artifacts are byte-identical only for the same device type.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass, replace

from data_manifests.errors import UsageError
from pipelines.engine.environment import versions


def usable_cores() -> int:
    """Count the CPU cores this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS binds no process to cores


_FORMS = "auto, cpu, cuda, cuda:N or mps"


def device_kind(device: str) -> str:
    """Return the type of a device: 'cuda' of 'cuda:1'.

    Artifacts record the type alone, for GPUs of one machine give the same bytes.
    """
    return device.partition(":")[0]


@dataclass(frozen=True)
class Machine:
    """Workers, device and network for one call.

    Attributes:
        workers: worker processes (decode) or threads (pictures prepared for a network).
        device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'.
        offline: never use the network.
        devices: devices with commas between them, or 'all' for every CUDA device: one process works on each. None for
            the one device.
    """

    workers: int = 1
    device: str = "auto"
    offline: bool = False
    devices: str | None = None

    def each(self) -> list[Machine]:
        """Return a machine for each device, which share the workers.

        Without ``devices`` it is this machine alone.

        Raises:
            UsageError: a device is unknown or not here, they are of several types, or ``device`` is given too.
        """
        if self.devices is None:
            return [self]
        if self.device != "auto":
            raise UsageError(f"--device {self.device} and --devices {self.devices}: leave one of the two out")
        names = _every_cuda_device() if self.devices == "all" else self.devices.split(",")
        workers = max(1, self.workers // len(names))
        found = [replace(self, workers=workers, device=name, devices=None) for name in names]
        kinds = sorted({device_kind(one.resolve_device()) for one in found})
        if len(kinds) > 1 or "auto" in names:
            raise UsageError(
                f"--devices {self.devices}: expected devices of one type, such as cuda:0,cuda:1, or all; vectors of "
                "several types differ in their last bits"
            )
        return found

    def resolve_device(self) -> str:
        """Return the device: 'cpu', 'cuda', 'cuda:N' or 'mps'.

        'auto' is 'cuda' where PyTorch finds a CUDA device, else 'cpu'. Of several devices it is the first.

        Raises:
            UsageError: the device is unknown, or PyTorch finds no such device here.
        """
        if self.devices is not None:
            return self.each()[0].resolve_device()
        kind, _, number = self.device.partition(":")
        if kind not in ("auto", "cpu", "cuda", "mps") or (":" in self.device and not _is_number(kind, number)):
            raise UsageError(f"--device {self.device}: expected {_FORMS}")
        if kind == "cpu" or (kind == "auto" and not _may_have_cuda()):
            return "cpu"
        import torch

        if kind == "mps":
            if not torch.backends.mps.is_available():
                raise UsageError("--device mps: PyTorch finds no GPU of Apple here; use --device auto")
            return "mps"
        there = torch.cuda.is_available()
        if kind == "auto":
            return "cuda" if there else "cpu"
        if not there:
            raise UsageError(
                f"--device {self.device}: PyTorch finds no CUDA device here (xmic doctor says more); use --device auto"
            )
        if number and int(number) >= torch.cuda.device_count():
            raise UsageError(
                f"--device {self.device}: PyTorch finds {torch.cuda.device_count()} CUDA devices here; expected cuda:0 "
                f"to cuda:{torch.cuda.device_count() - 1}"
            )
        return self.device


def _is_number(kind: str, text: str) -> bool:
    return kind == "cuda" and text.isascii() and text.isdecimal()


def _may_have_cuda() -> bool:
    """Tell whether PyTorch could find a CUDA device here, without importing it.

    On Linux it finds none without NVIDIA's driver, unless it was built for AMD's GPUs, which it calls CUDA too.
    """
    if not sys.platform.startswith("linux") or "rocm" in versions("torch")["torch"]:
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _every_cuda_device() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        raise UsageError("--devices all: PyTorch finds no CUDA device here (xmic doctor says more); leave it out")
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
