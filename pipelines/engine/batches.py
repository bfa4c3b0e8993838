"""Run a network on rows in full batches and keep their order.

The batches do not depend on the pieces in which the rows are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from data_manifests.errors import InputError

PIECE = 64
"""Rows per write, and inputs per call where the batch size is not known."""

About = TypeVar("About")
Input = TypeVar("Input")
Output = TypeVar("Output")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Failed:
    """The failure of a row, in place of its input or output.

    Attributes:
        reason: reason code in one word; see :data:`pipelines.engine.shards.FAILURES`.
        error: the error's text.
    """

    reason: str
    error: str


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
    waiting: list[tuple[About, Failed | Known | None]] = []
    inputs: list[Input] = []
    for about, given in rows:
        if isinstance(given, Failed | Known):
            waiting.append((about, given))
            continue
        waiting.append((about, None))
        inputs.append(given)
        if len(inputs) == size:
            outputs, inputs = _checked(run, inputs), []
            yield from _matched(waiting, outputs)
            waiting = []
    if inputs:
        outputs, inputs = _checked(run, inputs), []
        yield from _matched(waiting, outputs)
    else:
        yield from _matched(waiting, ())


def in_pieces(rows: Iterable[Row], size: int = PIECE) -> Iterator[list[Row]]:
    """Split rows into lists of ``size``; the last may be shorter.

    So the sizes of the writes do not depend on the batch size.
    """
    drawn = iter(rows)
    while piece := list(islice(drawn, size)):
        yield piece


def _checked(run: Callable[[list[Input]], Sequence[Output]], inputs: list[Input]) -> Sequence[Output]:
    outputs = run(inputs)
    if len(outputs) != len(inputs):
        raise InputError(
            f"{len(outputs)} results for {len(inputs)} inputs. Where the encoder or the detector is your own, "
            "xmic check-plugin tries what it must keep."
        )
    return outputs


def _matched(
    waiting: Iterable[tuple[About, Failed | Known | None]], outputs: Iterable[Output]
) -> Iterator[tuple[About, Output | Failed]]:
    left = iter(outputs)
    for about, given in waiting:
        if given is None:
            yield about, next(left)
        else:
            yield about, given.output if isinstance(given, Known) else given
