"""Learned vectors around the tokens of class names, and their way through the text tower in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from data_manifests.errors import InputError, UsageError
from pipelines.methods.base import TextBank
from pipelines.methods.text_tower import TextTower

Checkpointing = Literal["auto", "on", "off"]
Of = TypeVar("Of")

_BUDGET = 2**30
"""Bytes that the activations of one piece may take. A constant, not the machine's free memory: sums are rounded by the
size of a piece, and a resumed training must round as before."""

_FLOATS_PER_TOKEN = 16
"""Activations that one block of the tower keeps for the way back, in vectors of its width a token. Counted: 14.0 with
QuickGELU, 10.0 with GELU, by a fused attention, which keeps no matrix of weights."""


@dataclass(frozen=True)
class PromptConfig:
    """Settings of every method that sends prompts through the text tower.

    Raises:
        UsageError: a value is out of range.
    """

    full_stop: bool = field(default=True, metadata={"help": "a full stop behind the class name"})
    class_chunk: int = field(
        default=0, metadata={"help": "prompts that are encoded at a time; 0 = as many as fit into 1 GiB"}
    )
    checkpointing: Checkpointing = field(
        default="auto",
        metadata={
            "help": "compute a chunk again on the way back and so keep the activations of one chunk only: on, off, or "
            "auto = on when a step has more than one chunk"
        },
    )

    def __post_init__(self) -> None:
        """Check."""
        if self.class_chunk < 0:
            raise UsageError(f"class_chunk={self.class_chunk}: expected 0 (automatic) or more.")


@dataclass(frozen=True)
class Prompts:
    """The sequences of C classes: frozen tokens, and places for learned vectors.

    Attributes:
        frozen: [C, L, W] token vectors; what stands at the learned places is not read.
        rows: int64 [C, L], the row of the learned table that stands there, −1 at frozen tokens.
        eot: int64 [C], where each sequence ends.
    """

    frozen: Tensor
    rows: Tensor
    eot: Tensor

    def __len__(self) -> int:
        """C."""
        return len(self.eot)

    def filled(self, tables: Tensor, table: Tensor, classes: Tensor) -> Tensor:
        """Sequences [n, L, W] of some classes, each with its own table of learned vectors.

        Args:
            tables: [T, R, W].
            table: int64 [n], which of them.
            classes: int64 [n].
        """
        rows = self.rows[classes]
        learned = tables[table[:, None], rows.clamp_min(0)]
        return torch.where((rows >= 0)[..., None], learned, self.frozen[classes].to(learned.dtype))

    def some(self, classes: Tensor) -> Prompts:
        """Those of the classes int64 [n]."""
        return Prompts(self.frozen[classes], self.rows[classes], self.eot[classes])


def lay_out(
    tower: TextTower, text: TextBank, prefix: int, postfix: int = 0, *, full_stop: bool, by_position: bool = False
) -> Prompts:
    """[start][``prefix`` learned][class tokens][``postfix`` learned][end] of every class.

    Args:
        tower: whose tokens.
        text: the classes; their bare texts are read.
        prefix: learned vectors before the class name.
        postfix: learned vectors behind it.
        full_stop: put one behind the class name.
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
        return Prompts(tower.embed(ids), rows, end + prefix + postfix)


def encode_prompts(
    tower: TextTower, prompts: Prompts, tables: Tensor, *, class_chunk: int, checkpointing: Checkpointing
) -> Tensor:
    """Raw text vectors of every class under every table of learned vectors.

    The T·C sequences go through the tower in pieces. With checkpointing the activations of a piece are dropped and
    computed again on the way back: the gradient is the same, and memory holds those of one piece, whatever T and C.

    Args:
        tower: the text tower.
        prompts: C classes.
        tables: [T, R, W] learned vectors.
        class_chunk: sequences a piece; 0 = what fits into the budget.
        checkpointing: see :class:`PromptConfig`.

    Returns:
        [T, C, D].
    """
    count = len(tables) * len(prompts)
    size = class_chunk or automatic_chunk(tower, int(prompts.eot.max()) + 1)
    again = checkpointing == "on" or (checkpointing == "auto" and count > size)

    def encode(tables: Tensor, pairs: Tensor) -> Tensor:
        table, classes = pairs // len(prompts), pairs % len(prompts)
        return tower.encode(prompts.filled(tables, table, classes), prompts.eot[classes])

    pieces = torch.arange(count, device=tables.device).split(size)
    if again and torch.is_grad_enabled():
        # Nothing in the tower is drawn at random, so there is no state of a generator to keep.
        vectors = [checkpoint(encode, tables, pairs, use_reentrant=False, preserve_rng_state=False) for pairs in pieces]
    else:
        vectors = [encode(tables, pairs) for pairs in pieces]
    return torch.cat(vectors).unflatten(0, (len(tables), len(prompts)))


def automatic_chunk(tower: TextTower, length: int) -> int:
    """How many sequences of a length keep their fp32 activations within the budget; at least one."""
    return max(1, _BUDGET // (4 * _FLOATS_PER_TOKEN * tower.layers * length * tower.width))


def context_start(tower: TextTower, method: str, vectors: int, words: str, std: float = 0.02) -> Tensor:
    """First values [M, W] of a learned context: the token vectors of some words, or N(0, std²).

    Args:
        tower: whose tokens.
        method: for messages.
        vectors: M.
        words: what to start from; empty = random.
        std: of the random values.

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
    """What is made of a text bank, kept as long as the same bank and the same state are asked for.

    Args:
        make: makes it.
    """

    def __init__(self, make: Callable[[TextBank], Of]) -> None:
        self._make = make
        self._held: tuple[TextBank, tuple[object, ...], Of] | None = None

    def of(self, text: TextBank, *state: object) -> Of:
        """It.

        Args:
            text: the same object, not an equal one, counts as the same.
            state: whatever else it depends on.
        """
        if self._held is None or self._held[0] is not text or self._held[1] != state:
            self._held = (text, state, self._make(text))
        return self._held[2]
