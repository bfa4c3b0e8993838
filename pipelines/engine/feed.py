"""Feed batches to a network, and copy beside the computing.

On CUDA a batch is filled into pinned memory and copied while the network computes the one before it, and its results
are read while the network computes the next one. Each of the three has a stream of its own. On any other device
everything is done at once, in order, by the same code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

Lane = Literal["in", "net", "out"]
"""What is done in order: copies to the device, the network, and reading its results."""

Found = TypeVar("Found")


class Lanes(Protocol):
    """Order in which a device does the work of a :class:`Feed`.

    Attributes:
        ahead: batches that may be begun before the results of an earlier one are taken.
    """

    ahead: int

    def buffers(self, shape: Sequence[int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Allocate a buffer on the host and one on the device.

        The first is copied to the second; they may be one tensor.
        """
        ...

    def do(self, lane: Lane, work: Callable[[], None], after: Sequence[Any] = ()) -> Any:
        """Begin work on a lane, and return its mark.

        It is begun after the work of the marks in ``after``.
        """
        ...

    def wait(self, mark: Any) -> None:
        """Wait until the work of a mark is done."""
        ...


class HostLanes:
    """Lanes of a device that does all work at once, a :class:`Lanes`."""

    ahead = 0

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def buffers(self, shape: Sequence[int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Allocate the buffers; on a CPU they are one tensor."""
        host = torch.zeros(tuple(shape), dtype=dtype)
        return host, host if self._device.type == "cpu" else host.to(self._device)

    def do(self, lane: Lane, work: Callable[[], None], after: Sequence[Any] = ()) -> None:
        """Do the work."""
        work()

    def wait(self, mark: None) -> None:
        """Return: all work is done."""


class CudaLanes:
    """Streams of a CUDA device, a :class:`Lanes`."""

    ahead = 1

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._streams: dict[Lane, torch.cuda.Stream] = {
            "in": torch.cuda.Stream(device),
            "net": torch.cuda.current_stream(device),
            "out": torch.cuda.Stream(device),
        }

    def buffers(self, shape: Sequence[int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Allocate pinned memory, and memory of the device."""
        with torch.cuda.device(self._device):  # pinning would else take memory on the first device too
            host = torch.zeros(tuple(shape), dtype=dtype).pin_memory()
            return host, torch.empty(tuple(shape), dtype=dtype, device=self._device)

    def do(self, lane: Lane, work: Callable[[], None], after: Sequence[torch.cuda.Event] = ()) -> torch.cuda.Event:
        """Begin the work on the lane's stream."""
        stream = self._streams[lane]
        for mark in after:
            stream.wait_event(mark)
        with torch.cuda.stream(stream):
            work()
        return stream.record_event()

    def wait(self, mark: torch.cuda.Event) -> None:
        """Wait on the host for an event."""
        mark.synchronize()


def lanes_of(device: torch.device) -> Lanes:
    """Return the lanes of a device."""
    return CudaLanes(device) if device.type == "cuda" else HostLanes(device)


@dataclass
class _Slot:
    """Place of the ring: its buffers, and the marks of the last copy from one and the last network on the other."""

    host: Tensor
    device: Tensor
    copied: Any
    used: Any


class Feed:
    """Ring of buffers through which batches of one shape reach a network.

    Args:
        lanes: of the network's device.
        shape: shape of a batch on the host.
        dtype: its type.
    """

    def __init__(self, lanes: Lanes, shape: Sequence[int], dtype: torch.dtype) -> None:
        self._lanes = lanes
        self._one_at_a_time = Lock()
        self._slots: deque[_Slot] = deque()
        for _ in range(lanes.ahead + 1):
            host, device = lanes.buffers(shape, dtype)
            # The first copy into the buffer comes after what the network's lane did with that memory before.
            self._slots.append(_Slot(host, device, lanes.do("in", _nothing), lanes.do("net", _nothing)))

    def begin(
        self, fill: Callable[[Tensor], None], run: Callable[[Tensor], Any], take: Callable[[Any], Found]
    ) -> Callable[[], Found]:
        """Begin a batch.

        Args:
            fill: writes the batch into a host buffer, which holds the values of an earlier one.
            run: the network: device buffer → output, which shares no memory with the buffer. It should not wait for the
                device.
            take: reads the output, and may wait for the device. It is called when the result is asked for.

        Returns:
            A function that waits for the result and returns it.
        """
        lanes = self._lanes
        output: list[Any] = []

        def copy() -> None:
            if slot.device is not slot.host:
                slot.device.copy_(slot.host, non_blocking=True)

        with self._one_at_a_time:  # callers in several threads share the buffers
            slot = self._slots[0]
            self._slots.rotate(-1)
            lanes.wait(slot.copied)
            fill(slot.host)
            slot.copied = lanes.do("in", copy, after=[slot.used])
            used = slot.used = lanes.do("net", lambda: output.append(run(slot.device)), after=[slot.copied])

        def result() -> Found:
            found: list[Found] = []
            lanes.wait(lanes.do("out", lambda: found.append(take(output[0])), after=[used]))
            return found[0]

        return result


def _nothing() -> None:
    """Do nothing: the mark of it is that of all work before."""
