"""Choose how many threads of a CPU make a training step.

Threads meet after every operation. In small steps they wait longer for each other than they compute, and longer still
beside another program. The choice follows the arithmetic alone, never a clock: the number of threads moves the last
bits of a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

FLOP_A_THREAD = 1e9
"""Operations of a forward pass that keep a thread busy.

Two threads are as fast as one at 1.2e9, and 1.6 to 1.8 times as fast at 2e10: ``benchmarks/threads.py``.
"""


class _Enough(Exception):
    """Signal that all threads have work."""


class _Counter(TorchDispatchMode):
    """Counter of the floating-point operations of matrix products, up to a limit."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.flop, self._limit = 0, limit

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do an operation and count it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.flop += count(*args, **kwargs, out_val=result)
            if self.flop >= self._limit:
                raise _Enough
        return result


def threads_for(forward: Callable[[], object], most: int) -> int:
    """Choose the number of threads for the steps of a training.

    Args:
        forward: makes the forward pass of one step. It is called once, without gradients, and ended early where it
            keeps all threads busy. What it draws is drawn again afterwards.
        most: threads that PyTorch may use.

    Returns:
        One thread for every :data:`FLOP_A_THREAD` operations, from 1 to ``most``.
    """
    counter = _Counter(most * FLOP_A_THREAD)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            with counter:
                forward()
        except _Enough:
            return most
    return max(1, int(counter.flop / FLOP_A_THREAD))
