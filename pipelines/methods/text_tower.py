"""Frozen text transformer: token vectors in, text vectors out.

Gradients pass through it; its own weights are frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from data_manifests.errors import InputError


class Tokenizer(Protocol):
    """Tokenizer that turns a text into token ids."""

    sot_token_id: int
    eot_token_id: int

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, without start and end."""


class TextTower:
    """Causal text transformer whose vector is read at the end-of-text token.

    CLIP's text tower is one.

    It is deliberately not an ``nn.Module``: a method that holds one neither trains it, nor moves it, nor saves it.

    Args:
        name: name of the model, for error messages.
        token_embedding: id → vector of width W.
        positions: [P, W], P the longest sequence.
        transformer: ([n, L, W], attn_mask=[L, L]) → [n, L, W].
        norm: the norm after the transformer.
        projection: [W, D], a linear layer W → D, or None where W = D already.
        mask: [P, P], 0 on and below the diagonal and −∞ above: a token sees those before it.
        tokenizer: the encoder's own.

    Attributes:
        name: name of the model.
        width: W, the width of a token.
        dim: D, the width of a text vector.
        context: P, the longest sequence.
        layers: number of layers of the transformer.
    """

    def __init__(
        self,
        name: str,
        token_embedding: nn.Embedding,
        positions: Tensor,
        transformer: nn.Module,
        norm: nn.Module,
        projection: Tensor | nn.Linear | None,
        mask: Tensor,
        tokenizer: Tokenizer,
    ) -> None:
        self.name, self.context, self.width = name, *positions.shape
        self.layers = len(transformer.resblocks)  # type: ignore[arg-type]
        self._embedding, self._positions, self._transformer = token_embedding, positions, transformer
        self._norm, self._projection, self._mask, self._tokenizer = norm, projection, mask, tokenizer
        self.dim = self.width
        if isinstance(projection, nn.Linear):
            self.dim = projection.out_features
        elif projection is not None:
            self.dim = projection.shape[1]
        for part in (token_embedding, positions, transformer, norm, projection):
            if part is not None:
                part.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Device of the tower's weights."""
        return self._positions.device

    def tokens(self, texts: Sequence[str], learned: int = 0) -> Tensor:
        """Tokenize texts into ids of start, text and end.

        Rows are padded with zeros to the end of the longest text.

        Args:
            texts: class names.
            learned: number of learned vectors that each sequence takes in addition.

        Returns:
            int64 [n, L]; the end of a text is the largest id of its row.

        Raises:
            InputError: a text and the learned vectors do not fit into the context.
        """
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        rows = [[start, *self._tokenizer.encode(text), end] for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) + learned > self.context:
                raise InputError(
                    f"class text {text[:60]!r}: {len(row)} tokens and {learned} learned vectors, the text tower of "
                    f"{self.name} takes {self.context} together. Shorten the class name, or learn fewer vectors."
                )
        ids = torch.zeros(len(rows), max(map(len, rows), default=0), dtype=torch.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
        return ids.to(self.device)

    def embed(self, tokens: Tensor) -> Tensor:
        """Look up the token vectors of ids, without positions.

        Args:
            tokens: ids [...].

        Returns:
            [..., W].
        """
        vectors: Tensor = self._embedding(tokens)
        return vectors

    def encode(self, embeddings: Tensor, eot: Tensor, length: int | None = None) -> Tensor:
        """Encode sequences of token vectors as raw text vectors e_t.

        Places after the last end of text are cut off: a token attends only to those before it, so nothing changes.
        The last norm and the projection are computed in the precision of their weights, under autocast too.

        Args:
            embeddings: [n, L, W] token vectors, without their positions; L ≤ P.
            eot: int64 [n], where each text ends.
            length: the number of places that are kept, if known; else it is read from ``eot``, for which the CPU waits.

        Returns:
            [n, D].
        """
        if length is None:
            length = int(eot.max()) + 1
        x = embeddings[:, :length] + self._positions[:length]
        x = self._transformer(x, attn_mask=self._mask[:length, :length])
        with torch.autocast(x.device.type, enabled=False):
            ends = x[torch.arange(len(x), device=x.device), eot].to(self._positions.dtype)
            vectors: Tensor = self._norm(ends)
            if self._projection is None:
                return vectors
            if isinstance(self._projection, nn.Linear):
                vectors = self._projection(vectors)
                return vectors
            return vectors @ self._projection


def tower_of(method: str, tower: TextTower | None) -> TextTower:
    """Return the text tower of a method, or refuse its absence.

    Raises:
        InputError: the method was given no tower.
    """
    if tower is None:
        raise InputError(f"{method} learns through a text tower, but was given none. Build it with one.")
    return tower
