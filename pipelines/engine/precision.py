"""Choose the precision of a network by the hardware, never by timing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from data_manifests.errors import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
PRECISIONS = ("fp32", "bf16", "fp16")
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def resolve_precision(asked: str, device: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Resolve a precision to 'fp32', 'bf16' or 'fp16'.

    'auto' is fp16 on CUDA, bf16 on a CPU that multiplies bf16 in hardware, and fp32 on other CPUs and on mps. On such a
    CPU, bf16 is 2.3 times as fast as fp32. An encoder's vectors have a cosine above 0.9999 to those of fp32, and a hand
    model's AP50 is the same. ``python -m benchmarks.gpu`` checks the cosines on a GPU.

    Raises:
        UsageError: the precision is unknown, is fp16 on a CPU, which has no fast fp16, or is any but fp32 on mps, where
            nobody has tried another.
    """
    if asked == "auto":
        if device.startswith("cuda"):
            return "fp16"
        if device == "mps":
            return "fp32"
        return "bf16" if _BF16_FLAGS & _cpu_flags(cpuinfo) else "fp32"
    if asked not in PRECISIONS:
        raise UsageError(f"--precision {asked}: expected auto, {', '.join(PRECISIONS)}")
    if device == "mps" and asked != "fp32":
        raise UsageError(f"--precision {asked}: mps is tried with fp32 only; use --precision fp32")
    if asked == "fp16" and not device.startswith("cuda"):
        raise UsageError("--precision fp16: only on CUDA; a CPU takes bf16 or fp32")
    return asked


def _cpu_flags(cpuinfo: Path) -> set[str]:
    if not cpuinfo.is_file():
        return set()
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
