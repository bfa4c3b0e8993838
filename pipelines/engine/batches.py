"""Run a network on rows in full batches and keep their order.

The batches do not depend on the pieces in which the rows are read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from data_manifests.errors import InputError
from pipelines.engine.machine import device_kind
from pipelines.engine.shards import any_footer

PIECE = 64
"""Rows per write, and inputs per call where the batch size is not known."""

About = TypeVar("About")
Input = TypeVar("Input")
Output = TypeVar("Output")
Row = TypeVar("Row")

Begin: TypeAlias = Callable[[list[Input]], Callable[[], Sequence[Output]]]
"""Begins a batch: inputs → function that waits for the outputs."""


@dataclass(frozen=True)
class Failed:
    """The failure of a row, in place of its input or output.

    Attributes:
        reason: reason code in one word; see :data:`pipelines.engine.shards.FAILURES`.
        error: the error's text.
    """

    reason: str
    error: str


class BatchTooLarge(InputError):
    """Error for a batch that does not fit into memory."""


@dataclass(frozen=True)
class Known:
    """Known output of a row, in place of its input."""

    output: Any


def batch_size(environment: Mapping[str, Any]) -> int:
    """Return the number of pictures per forward pass.

    It is the first entry of the ``batch_shape`` that encoders and detectors record; 64 where none is recorded.
    """
    shape = environment.get("batch_shape")
    return int(shape[0]) if shape else PIECE


def made_batch_size(folders: Iterable[Path], device: str) -> int | None:
    """Return the batch size that earlier shards were made with.

    Shards of another batch size may differ in their last bits.

    Args:
        folders: folders of shards by one network.
        device: on which they were made, by its type.

    Returns:
        The first that is recorded; None without such shards.
    """
    footers = (any_footer(folder) for folder in folders)
    made = (footer.environment for footer in footers if footer is not None)
    kind = device_kind(device)
    return next((batch_size(facts) for facts in made if "batch_shape" in facts and facts.get("device") == kind), None)


def with_batch_size(environment: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Change the batch size that an encoder or detector records."""
    return {**environment, "batch_shape": [size, *environment["batch_shape"][1:]]}


def in_batches(
    rows: Iterable[tuple[About, Input | Failed | Known]], size: int, run: Callable[[list[Input]], Sequence[Output]]
) -> Iterator[tuple[About, Output | Failed]]:
    """Run a network on the inputs of rows in batches of ``size``.

    Only the last batch may be smaller.

    Args:
        rows: pairs of a row's identity and its input. A failed or known row takes no place in a batch.
        size: inputs per call.
        run: returns one output per input, in their order. It is not called without inputs.

    Yields:
        Pairs of a row's identity and its output or failure, in order of the rows. The inputs of a batch are
        released before its outputs are yielded.

    Raises:
        InputError: the number of outputs differs from that of the inputs.
    """
    return in_begun_batches(rows, size, _at_once(run))


def in_begun_batches(
    rows: Iterable[tuple[About, Input | Failed | Known]], size: int, begin: Begin[Input, Output], ahead: int = 0
) -> Iterator[tuple[About, Output | Failed]]:
    """Run a network as :func:`in_batches` does, some batches ahead.

    Args:
        rows: as there.
        size: inputs per batch.
        begin: begins a batch, and returns a function that waits for its outputs. It keeps no input.
        ahead: batches that are begun before the outputs of an earlier one are waited for.

    Yields:
        As there.

    Raises:
        InputError: as there.
    """
    waiting: list[tuple[About, Failed | Known | None]] = []
    inputs: list[Input] = []
    begun: deque[tuple[list[tuple[About, Failed | Known | None]], int, Callable[[], Sequence[Output]]]] = deque()
    for about, given in rows:
        if isinstance(given, Failed | Known):
            waiting.append((about, given))
            continue
        waiting.append((about, None))
        inputs.append(given)
        if len(inputs) == size:
            begun.append((waiting, size, begin(inputs)))
            waiting, inputs = [], []
            if len(begun) > ahead:
                yield from _matched(*begun.popleft())
    if inputs:
        begun.append((waiting, len(inputs), begin(inputs)))
        waiting, inputs = [], []
    while begun:
        yield from _matched(*begun.popleft())
    yield from _matched(waiting, 0, list)


def begun_by(network: Any, name: str) -> tuple[Begin[Any, Any], int]:
    """Find how a network's batches are begun, and how many ahead.

    A network with an ``ahead`` above 0 has a method ``begin_<name>``. Any other one is run at once.

    Args:
        network: an encoder or detector.
        name: the method that runs a batch, e.g. 'embed'.
    """
    ahead = getattr(network, "ahead", 0)
    return (getattr(network, f"begin_{name}"), ahead) if ahead else (_at_once(getattr(network, name)), 0)


def in_flight(begun: Iterable[Callable[[], Output]], ahead: int) -> Iterator[Output]:
    """Take the outputs of batches in order, some batches ahead.

    Args:
        begun: drawing one begins a batch, and gives the function that waits for its outputs.
        ahead: as for :func:`in_begun_batches`.
    """
    waiting: deque[Callable[[], Output]] = deque()
    for result in begun:
        waiting.append(result)
        if len(waiting) > ahead:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def in_pieces(rows: Iterable[Row], size: int = PIECE) -> Iterator[list[Row]]:
    """Split rows into lists of ``size``; the last may be shorter.

    So the sizes of the writes do not depend on the batch size.
    """
    drawn = iter(rows)
    while piece := list(islice(drawn, size)):
        yield piece


def _at_once(run: Callable[[list[Input]], Sequence[Output]]) -> Begin[Input, Output]:
    def begin(inputs: list[Input]) -> Callable[[], Sequence[Output]]:
        outputs = run(inputs)
        return lambda: outputs

    return begin


def _matched(
    waiting: Iterable[tuple[About, Failed | Known | None]], count: int, result: Callable[[], Sequence[Output]]
) -> Iterator[tuple[About, Output | Failed]]:
    outputs = result()
    if len(outputs) != count:
        raise InputError(
            f"{len(outputs)} results for {count} inputs. Where the encoder or the detector is your own, "
            "xmic check-plugin tries what it must keep."
        )
    left = iter(outputs)
    for about, given in waiting:
        if given is None:
            yield about, next(left)
        else:
            yield about, given.output if isinstance(given, Known) else given
