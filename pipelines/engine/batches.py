"""Rows through a network in full batches, whatever pieces they are read in, and back in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from data_manifests.errors import InputError

PIECE = 64
"""Rows that are written at once, and inputs of a call where the batch size is not known."""

About = TypeVar("About")
Input = TypeVar("Input")
Output = TypeVar("Output")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Failed:
    """Stands for what a row lacks.

    Attributes:
        reason: why, in a word; see :data:`pipelines.engine.shards.FAILURES`.
        error: the error's text.
    """

    reason: str
    error: str


def batch_size(environment: Mapping[str, Any]) -> int:
    """Pictures a forward pass, by the ``batch_shape`` that encoders and detectors record; 64 where one records none."""
    shape = environment.get("batch_shape")
    return int(shape[0]) if shape else PIECE


def in_batches(
    rows: Iterable[tuple[About, Input | Failed]], size: int, run: Callable[[list[Input]], Sequence[Output]]
) -> Iterator[tuple[About, Output | Failed]]:
    """Run a network on the inputs of rows, ``size`` at a time; only the last call may have fewer.

    Args:
        rows: what a row is about, with its input. A failed one takes no place in a batch.
        size: inputs a call.
        run: gives an output for each input, in their order. It is not called without inputs.

    Yields:
        What each row is about with its output, or as it failed, in order of the rows. By then no input is held.

    Raises:
        InputError: there are not as many outputs as inputs.
    """
    waiting: list[tuple[About, Failed | None]] = []
    inputs: list[Input] = []
    for about, given in rows:
        if isinstance(given, Failed):
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
    """Rows in lists of ``size``, the last one as long as it comes: what is written does not follow the batch size."""
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
    waiting: Iterable[tuple[About, Failed | None]], outputs: Iterable[Output]
) -> Iterator[tuple[About, Output | Failed]]:
    left = iter(outputs)
    for about, failed in waiting:
        yield about, next(left) if failed is None else failed
