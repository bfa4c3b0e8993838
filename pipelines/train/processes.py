"""Train in several processes, each with a part of every batch.

``torchrun`` starts them. The first one leads: it does everything that one process would do, and says which step comes
next. The others make the same steps on their parts of the batches, and write nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from data_manifests.errors import InputError, UsageError
from pipelines.methods.base import ClipBatch, Method, TextBank

Order = Literal["step", "read", "end"]
_ORDERS: tuple[Order, ...] = ("step", "read", "end")

_IDLE, _STEP = timedelta(days=7), timedelta(hours=2)
"""How long the others wait for the first, which may score watched clips, and for each other within a step.

torchrun notices a process that ends, and ends the others.
"""


@dataclass(frozen=True)
class Processes:
    """Processes that train one head together.

    Attributes:
        rank: number of this process, from 0; 0 leads.
        size: number of processes.
        talk: the group in which they tell each other what to do, on the CPU; None if there is one process.
    """

    rank: int = 0
    size: int = 1
    talk: Any = None

    @property
    def leads(self) -> bool:
        """True for the process that decides and writes."""
        return self.rank == 0

    def part(self, indices: np.ndarray) -> tuple[np.ndarray, float | None]:
        """Return this process's part of a batch and its weight.

        DDP averages gradients over the processes. With such weights of the losses, the average is the gradient of the
        mean loss over the whole batch, also where parts differ in size. A process without a part takes one clip with
        weight 0, since all have to make the step. Alone, the weight is None.
        """
        if self.size == 1:
            return indices, None
        own = np.array_split(indices, self.size)[self.rank]
        if not len(own):
            return indices[:1], 0.0
        return own, self.size * len(own) / len(indices)

    def sharing(self, method: Method) -> Callable[[ClipBatch, TextBank, Tensor], Tensor]:
        """Return the method's training logits, with gradients averaged over the processes.

        All processes get the weights of the first.
        """
        if self.size == 1:
            return method.training_logits
        return nn.parallel.DistributedDataParallel(_TrainingLogits(method), broadcast_buffers=False)

    def tell(self, order: Order, epoch: int = 0, step: int = 0) -> None:
        """Tell the other processes what comes next; called by the first."""
        if self.size > 1:
            dist.broadcast(torch.tensor([_ORDERS.index(order), epoch, step]), 0, group=self.talk)

    def hear(self) -> tuple[Order, int, int]:
        """Wait for what the first process tells, and return it."""
        told = torch.zeros(3, dtype=torch.int64)
        dist.broadcast(told, 0, group=self.talk)
        order, epoch, step = told.tolist()
        return _ORDERS[order], epoch, step

    def give(self, what: Any) -> Any:
        """Return an object of the first process in all processes.

        The others give None.
        """
        if self.size == 1:
            return what
        held = [what]
        dist.broadcast_object_list(held, 0, group=self.talk)
        return held[0]

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Sum an array over the processes, in float64."""
        total = torch.from_numpy(values.astype(np.float64))
        dist.all_reduce(total, group=self.talk)
        return total.numpy()


ALONE = Processes()
"""A process that trains by itself."""


def started_by_torchrun() -> int:
    """Count the processes that torchrun started; 1 without torchrun."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


@contextmanager
def joined(method: type[Method], name: str, device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started.

    Each has a device of its own.

    Args:
        method: what will be trained.
        name: of the method, for errors.
        device: what :meth:`pipelines.engine.machine.Machine.resolve_device` returns. On CUDA, each process of a
            machine takes the GPU of its local rank.

    Raises:
        UsageError: the method's batches cannot be split, a device is numbered, or a machine has fewer GPUs than
            processes.
        InputError: another process has ended.
    """
    size = started_by_torchrun()
    if size == 1:
        yield ALONE
        return
    refuse_unsplittable(method, name, size)
    cuda = device.startswith("cuda")
    if ":" in device or device == "mps":
        raise UsageError(
            f"--device {device}: torchrun started {size} processes, and each takes a CUDA device of its own. Leave "
            "--device out and choose GPUs with CUDA_VISIBLE_DEVICES, or take --device cpu."
        )
    if cuda:
        local, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        if here > torch.cuda.device_count():
            raise UsageError(
                f"torchrun started {here} processes on this machine, which has {torch.cuda.device_count()} GPUs: one "
                "process per GPU. Pass --nproc-per-node gpu."
            )
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=_STEP)
    try:
        yield Processes(dist.get_rank(), size, dist.new_group(backend="gloo", timeout=_IDLE))
    except RuntimeError as error:
        if not _is_of_connection(error):
            raise
        raise InputError(
            f"process {dist.get_rank()} of {size}: another process of this training has ended ({_short(error)}). Its "
            "own message says why. The same command goes on from the last saved state."
        ) from error
    finally:
        dist.destroy_process_group()


def refuse_unsplittable(method: type[Method], name: str, size: int) -> None:
    """Refuse a method that several processes cannot train.

    Raises:
        UsageError: the method learns nothing, or a batch of its clips cannot be split.
    """
    if not method.trains:
        raise UsageError(f"{name} learns nothing: run xmic train without torchrun.")
    if not method.splits_batches:
        raise UsageError(
            f"torchrun started {size} processes, but {name} is trained by one: {method.why_whole} "
            "Run xmic train without torchrun."
        )


class _TrainingLogits(nn.Module):
    """Training logits as a forward pass, which is what DDP watches."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: ClipBatch, text: TextBank, target: Tensor) -> Tensor:
        return self.method.training_logits(batch, text, target)


def _is_of_connection(error: RuntimeError) -> bool:
    """Tell the errors of gloo and NCCL from others; gloo's have no class of their own."""
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "NCCL" in str(error)


def _short(error: RuntimeError) -> str:
    return " ".join(str(error).split())[:100]
