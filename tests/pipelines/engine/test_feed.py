from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pipelines.engine.batches import in_begun_batches, in_flight
from pipelines.engine.feed import CudaLanes, Feed, HostLanes, lanes_of
from tests.pipelines.engine.late_lanes import LateLanes

SIZE = 3


def begin_on(feed: Feed) -> Callable[[list[int]], Callable[[], list[float]]]:
    """Begin a batch of numbers, which the network doubles."""

    def begin(numbers: list[int]) -> Callable[[], list[float]]:
        def fill(batch: Tensor) -> None:
            batch.zero_()
            batch[: len(numbers)] = torch.tensor(numbers)

        return feed.begin(fill, lambda batch: 2 * batch, lambda doubled: doubled[: len(numbers)].tolist())

    return begin


ROWS = [(number, number) for number in range(20)]
DOUBLED = [(number, 2 * number) for number in range(20)]


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("seed", range(20))
def test_every_batch_gets_its_own_results_whenever_the_device_does_its_work(seed: int, ahead: int) -> None:
    feed = Feed(LateLanes(seed), (SIZE,), torch.float32)
    assert list(in_begun_batches(ROWS, SIZE, begin_on(feed), ahead)) == DOUBLED


@pytest.mark.parametrize("forgotten", ["in", "net", "out", "host"])
def test_the_test_above_finds_a_lane_that_waits_for_no_other(forgotten: str) -> None:
    class Careless(LateLanes):
        def do(self, lane, work, after=()):
            made = super().do(lane, work, () if lane == forgotten else after)
            made.lane = lane
            return made

        def wait(self, mark):
            if forgotten != "host" or mark.lane != "in":
                super().wait(mark)

    wrong = 0
    for seed in range(20):
        feed = Feed(Careless(seed), (SIZE,), torch.float32)
        try:
            wrong += list(in_begun_batches(ROWS, SIZE, begin_on(feed), ahead=3)) != DOUBLED
        except IndexError:  # an output was read before there was one
            wrong += 1
    assert wrong > 10


def test_a_batch_is_begun_before_the_results_of_the_one_before_are_taken() -> None:
    said = []

    def begun():
        for number in range(4):
            said.append(f"begin {number}")
            yield lambda number=number: said.append(f"take {number}")

    list(in_flight(begun(), 1))
    assert said == ["begin 0", "begin 1", "take 0", "begin 2", "take 1", "begin 3", "take 2", "take 3"]


def test_on_a_cpu_a_batch_is_neither_copied_nor_late() -> None:
    lanes = lanes_of(torch.device("cpu"))
    assert isinstance(lanes, HostLanes)
    host, device = lanes.buffers((2, 3), torch.uint8)
    assert host is device
    feed = Feed(lanes, (SIZE,), torch.float32)
    result = begin_on(feed)([1, 2])
    begin_on(feed)([5, 6, 7])
    assert result() == [2, 4]


class Recorded:
    """Stands in for torch.cuda, and remembers the order of the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.current: Recorded.Stream | None = None
        self.default = Recorded.Stream(self, "net")
        self.made = 0

    class Stream:
        def __init__(self, cuda: Recorded, name: str) -> None:
            self.cuda, self.name, self.events = cuda, name, 0

        def wait_event(self, event: Recorded.Event) -> None:
            self.cuda.calls.append(f"{self.name} waits for {event.name}")

        def record_event(self) -> Recorded.Event:
            self.events += 1
            return Recorded.Event(self.cuda, f"{self.name} {self.events}")

        def __enter__(self) -> None:
            self.cuda.current = self

        def __exit__(self, *_: object) -> None:
            self.cuda.current = None

    class Event:
        def __init__(self, cuda: Recorded, name: str) -> None:
            self.cuda, self.name = cuda, name

        def synchronize(self) -> None:
            self.cuda.calls.append(f"host waits for {self.name}")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    made = Recorded()
    names = iter(("in", "out"))
    monkeypatch.setattr("torch.cuda.Stream", lambda device: Recorded.Stream(made, next(names)))
    monkeypatch.setattr("torch.cuda.current_stream", lambda device: made.default)
    monkeypatch.setattr("torch.cuda.stream", lambda stream: stream)
    monkeypatch.setattr(CudaLanes, "buffers", lambda _, shape, dtype: (torch.zeros(shape), torch.ones(shape)))
    return made


def test_on_cuda_each_kind_of_work_has_a_stream_and_they_wait_for_each_other(cuda: Recorded) -> None:
    lanes = lanes_of(torch.device("cuda"))
    assert (type(lanes), lanes.ahead) == (CudaLanes, 1)
    feed = Feed(lanes, (SIZE,), torch.float32)
    where = []

    def run(batch: Tensor) -> Tensor:
        where.append(cuda.current and cuda.current.name)
        return 2 * batch

    def take(doubled: Tensor) -> list[float]:
        where.append(cuda.current and cuda.current.name)
        return doubled.tolist()

    first, second = (feed.begin(lambda batch, value=value: batch.fill_(value), run, take) for value in (1.0, 2.0))
    assert (first(), second()) == ([2.0] * 3, [4.0] * 3)
    assert where == ["net", "net", "out", "out"]
    # Two places of the ring made an event each on both lanes before: copies and networks count from 3.
    assert cuda.calls == [
        "host waits for in 1",
        "in waits for net 1",
        "net waits for in 3",
        "host waits for in 2",
        "in waits for net 2",
        "net waits for in 4",
        "out waits for net 3",
        "host waits for out 1",
        "out waits for net 4",
        "host waits for out 2",
    ]
