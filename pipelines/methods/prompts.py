"""Learned vectors around class-name tokens, encoded in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from data_manifests.errors import InputError, UsageError
from pipelines.methods.base import TextBank
from pipelines.methods.text_tower import TextTower
from pipelines.methods.together import gathered, own_span

Checkpointing = Literal["auto", "on", "off"]
Of = TypeVar("Of")

_BUDGET = 2**30
"""Bytes that the activations of one piece may take. A constant, not the machine's free memory: the size of a piece
decides how sums are rounded, and a resumed training must round as before."""

_FLOATS_PER_TOKEN = 16
"""Activations that one block of the tower keeps for the backward pass, in vectors of its width per token. Counted: 14.0
with QuickGELU, 10.0 with GELU, both with fused attention, which keeps no attention matrix."""


@dataclass(frozen=True)
class PromptConfig:
    """Settings shared by all methods that encode prompts with the text tower.

    Raises:
        UsageError: a value is out of range.
    """

    full_stop: bool = field(default=True, metadata={"help": "a full stop behind the class name"})
    class_chunk: int = field(
        default=0,
        metadata={
            "help": "prompts that are encoded at a time; 0 = as many as fit into 1 GiB",
            "source": "ours: results do not depend on it",
        },
    )
    checkpointing: Checkpointing = field(
        default="auto",
        metadata={
            "help": "compute a chunk again on the way back and so keep the activations of one chunk only: on, off, or "
            "auto = on when a step has more than one chunk",
            "source": "ours: results do not depend on it",
        },
    )

    def __post_init__(self) -> None:
        """Check the values."""
        if self.class_chunk < 0:
            raise UsageError(f"class_chunk={self.class_chunk}: expected 0 (automatic) or more.")


@dataclass(frozen=True)
class Prompts:
    """Token sequences of C classes, with places for learned vectors.

    Attributes:
        frozen: [C, L, W] token vectors; those at the learned places are not read.
        rows: int64 [C, L], the row of the learned table at each place, −1 at frozen tokens.
        eot: int64 [C], where each sequence ends.
        ends: the same on the CPU, or not below it: lengths are known without waiting for a device.
    """

    frozen: Tensor
    rows: Tensor
    eot: Tensor
    ends: np.ndarray

    def __len__(self) -> int:
        """Return the number of classes, C."""
        return len(self.eot)

    def filled(self, tables: Tensor, table: Tensor, classes: Tensor) -> Tensor:
        """Fill the learned places of some classes' sequences.

        Args:
            tables: [T, R, W], T tables of R learned vectors.
            table: int64 [n], the table of each sequence.
            classes: int64 [n], the class of each sequence.

        Returns:
            Sequences [n, L, W].
        """
        rows = self.rows[classes]
        learned = tables[table[:, None], rows.clamp_min(0)]
        return torch.where((rows >= 0)[..., None], learned, self.frozen[classes].to(learned.dtype))

    def some(self, classes: Tensor) -> Prompts:
        """Select the sequences of some classes.

        Args:
            classes: int64 [n].
        """
        # Which classes they are is known on a CPU; elsewhere it would have to be read back.
        ends = self.ends[classes.numpy()] if classes.is_cpu else np.full(len(classes), self.ends.max())
        return Prompts(self.frozen[classes], self.rows[classes], self.eot[classes], ends)


def lay_out(
    tower: TextTower, text: TextBank, prefix: int, postfix: int = 0, *, full_stop: bool, by_position: bool = False
) -> Prompts:
    """Lay out the prompt of every class.

    Its sequence is [start][``prefix`` learned][class tokens][``postfix`` learned][end].

    Args:
        tower: the text tower, with its tokenizer.
        text: the classes; their bare texts are read.
        prefix: number of learned vectors before the class name.
        postfix: number of learned vectors after it.
        full_stop: put a full stop after the class name.
        by_position: a learned place takes the table's row of its position in the sequence; otherwise the places of a
            sequence take rows 0, 1, … in turn.

    Raises:
        InputError: the classes come without bare texts, or one does not fit into the tower's context.
    """
    if text.texts is None:
        raise InputError(
            "The classes come without their bare texts: learned prompts go around those. Use the prompt {} and the "
            "official or fixed class names."
        )
    texts = [f"{name}." for name in text.texts] if full_stop else text.texts
    # Made outside inference mode: a training may use what an evaluation laid out.
    with torch.inference_mode(False), torch.no_grad():
        tokens = tower.tokens(texts, prefix + postfix)
        end = tokens.argmax(1)
        place = torch.arange(tokens.shape[1] + prefix + postfix, device=tokens.device).expand(len(tokens), -1)
        behind = (prefix + end)[:, None]
        before_class, after_class = (place > 0) & (place <= prefix), (place >= behind) & (place < behind + postfix)
        rows = torch.where(before_class, place - 1, torch.where(after_class, prefix + place - behind, -1))
        if by_position:
            rows = torch.where(rows >= 0, place, -1)
        source = torch.where(place == 0, 0, torch.where(place < behind, place - prefix, place - prefix - postfix))
        # At the learned places the source means nothing, and may lie outside.
        ids = tokens.gather(1, source.clamp(0, tokens.shape[1] - 1))
        eot = end + prefix + postfix
        return Prompts(tower.embed(ids), rows, eot, eot.cpu().numpy())


def encode_prompts(
    tower: TextTower,
    prompts: Prompts,
    tables: Tensor,
    *,
    class_chunk: int,
    checkpointing: Checkpointing,
    share: bool = False,
) -> Tensor:
    """Encode every class under every table of learned vectors.

    The T·C sequences go through the tower in pieces. With checkpointing, the activations of a piece are dropped and
    computed again in the backward pass. The gradient is the same, and memory holds those of one piece,
    whatever T and C.

    Args:
        tower: the text tower.
        prompts: C classes.
        tables: [T, R, W] learned vectors.
        class_chunk: sequences per piece; 0 = as many as fit into the budget.
        checkpointing: see :class:`PromptConfig`.
        share: in a training step of several processes, each encodes a part of the sequences. Only for sequences that do
            not depend on the clips: each process has other clips.

    Returns:
        Raw text vectors [T, C, D].
    """
    count = len(tables) * len(prompts)
    size = class_chunk or automatic_chunk(tower, int(prompts.ends.max()) + 1)
    shared = own_span(count) if share else None
    span = shared or range(count)
    again = checkpointing == "on" or (checkpointing == "auto" and len(span) > size)

    def encode(tables: Tensor, first: int) -> Tensor:
        last = min(first + size, span.stop)
        pairs = torch.arange(first, last, device=tables.device)
        table, classes = pairs // len(prompts), pairs % len(prompts)
        length = int(prompts.ends[np.arange(first, last) % len(prompts)].max()) + 1
        return tower.encode(prompts.filled(tables, table, classes), prompts.eot[classes], length)

    pieces = range(span.start, span.stop, size)
    if again and torch.is_grad_enabled():
        # Nothing in the tower is drawn at random, so there is no state of a generator to keep.
        vectors = [checkpoint(encode, tables, first, use_reentrant=False, preserve_rng_state=False) for first in pieces]
    else:
        vectors = [encode(tables, first) for first in pieces]
    together = gathered(torch.cat(vectors), count) if shared else torch.cat(vectors)
    return together.unflatten(0, (len(tables), len(prompts)))


def automatic_chunk(tower: TextTower, length: int) -> int:
    """Count the sequences whose activations fit into the memory budget.

    The activations are float32, and all sequences have the given length. Returns at least 1.
    """
    return max(1, _BUDGET // (4 * _FLOATS_PER_TOKEN * tower.layers * length * tower.width))


def context_start(tower: TextTower, method: str, vectors: int, words: str, std: float = 0.02) -> Tensor:
    """Make the initial values of a learned context.

    They are the token vectors of some words, or drawn from N(0, std²).

    Args:
        tower: the text tower, with its tokenizer.
        method: the method's name, for error messages.
        vectors: M, the number of learned vectors.
        words: the words to start from; empty = random.
        std: standard deviation of the random values.

    Returns:
        [M, W].

    Raises:
        UsageError: the words are not M tokens.
    """
    if not words:
        return torch.randn(vectors, tower.width) * std
    tokens = tower.tokens([words])[0, 1:-1]
    if len(tokens) != vectors:
        raise UsageError(
            f"{method}: ctx_init={words!r} has {len(tokens)} tokens and context={vectors}: set context={len(tokens)}, "
            "or ctx_init= for a random start."
        )
    return tower.embed(tokens).detach().float().cpu().clone()


class TextCache(Generic[Of]):
    """Cache of one value computed from a text bank.

    The value is kept as long as the same bank and the same state are asked for.

    Args:
        make: computes the value.
    """

    def __init__(self, make: Callable[[TextBank], Of]) -> None:
        self._make = make
        self._held: tuple[TextBank, tuple[object, ...], Of] | None = None

    def of(self, text: TextBank, *state: object) -> Of:
        """Return the value of a text bank, computed when needed.

        Args:
            text: the text bank; only the same object counts as the same, not an equal one.
            state: everything else that the value depends on.
        """
        if self._held is None or self._held[0] is not text or self._held[1] != state:
            self._held = (text, state, self._make(text))
        return self._held[2]
