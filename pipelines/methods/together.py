"""Share the classes of a training step among several processes.

The text side of a step costs the same whatever the number of clips. So where the clips of a batch are split, each
process encodes a part of the classes, and all get the vectors of all.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def own_span(count: int) -> range | None:
    """Choose the classes that this process encodes in a training step.

    Args:
        count: number of classes.

    Returns:
        A contiguous part; None where nothing is shared: in a process alone, outside of a training step (there are no
        gradients then), or if there are fewer classes than processes.
    """
    if not (torch.is_grad_enabled() and dist.is_available() and dist.is_initialized()):
        return None
    size = dist.get_world_size()
    return _span(count, dist.get_rank(), size) if 1 < size <= count else None


def gathered(own: Tensor, count: int) -> Tensor:
    """Gather the vectors of all classes from the processes.

    In the backward pass each process gets the sum of all processes' gradients of its own vectors.

    Args:
        own: [n, D], the vectors of :func:`own_span`.
        count: C, number of classes.

    Returns:
        [C, D].
    """
    vectors: Tensor = _Gathered.apply(own, count)
    return vectors


def _span(count: int, rank: int, size: int) -> range:
    return range(count * rank // size, count * (rank + 1) // size)


class _Gathered(torch.autograd.Function):
    """All-gather of parts that differ in length, and its gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, count: int) -> Tensor:
        ctx.count, size = count, dist.get_world_size()
        spans = [_span(count, rank, size) for rank in range(size)]
        padded = own.new_zeros(max(map(len, spans)), own.shape[1])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in spans]
        dist.all_gather(parts, padded)
        return torch.cat([part[: len(span)] for part, span in zip(parts, spans, strict=True)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        total = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        span = _span(ctx.count, dist.get_rank(), dist.get_world_size())
        return total[span.start : span.stop], None
