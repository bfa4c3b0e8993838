"""Choose and record the shape of an encoder's forward passes, without PyTorch."""

from __future__ import annotations

from typing import Any

from pipelines.embed.encoders.spec import EncoderOptions
from pipelines.engine.machine import device_kind

_SMALL_GFLOP = 2.0
_CPU_BATCH, _GPU_BATCH = {"small": 64, "large": 16}, {"small": 256, "large": 64}


class SizedByArithmetic:
    """Encoder whose batch size follows from the arithmetic per picture."""

    @classmethod
    def default_batch_size(cls, spec: str, device: str) -> int:
        """Return the pictures per forward pass where the user gives none."""
        return fast_batch_size(device, cls.gflop_of(spec))

    @classmethod
    def gflop_of(cls, spec: str) -> float | None:
        """Return the arithmetic per picture in 10⁹ operations; None if unknown."""
        return None


def fast_batch_size(device: str, gflop: float | None) -> int:
    """Choose the pictures per forward pass by a network's size.

    A small network needs many to keep the processor busy. On a CPU a large one leaves its cache with more than a few.

    Args:
        device: 'cpu', 'cuda', …
        gflop: arithmetic per picture in 10⁹ operations; None where it is not known, which counts as large.
    """
    size = "small" if gflop is not None and gflop < _SMALL_GFLOP else "large"
    return (_CPU_BATCH if device_kind(device) == "cpu" else _GPU_BATCH)[size]


def environment(options: EncoderOptions, image_size: int) -> dict[str, Any]:
    """Return what is recorded of the machine: device and batch shape.

    A compiled network is recorded too.
    """
    return {
        **({"compiled": True} if options.compiled else {}),
        "device": device_kind(options.device),
        "batch_shape": [options.batch_size, 3, image_size, image_size],
    }
