"""The frozen text transformer, opened up: token vectors in, text vectors out, gradients through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from data_manifests.errors import InputError


class Tokenizer(Protocol):
    """What turns a text into the ids of its tokens."""

    sot_token_id: int
    eot_token_id: int

    def encode(self, text: str) -> list[int]:
        """Without the ids of start and end."""


class TextTower:
    """A causal text transformer whose vector is read at the end-of-text token, as CLIP's is.

    It is deliberately no ``nn.Module``: a method that keeps one neither trains it, nor moves it, nor saves it.

    Args:
        name: of the model, for messages.
        token_embedding: id → vector of width W.
        positions: [P, W], P the longest sequence.
        transformer: ([n, L, W], attn_mask=[L, L]) → [n, L, W].
        norm: after the transformer.
        projection: [W, D], a linear layer W → D, or None where W = D already.
        mask: [P, P], 0 on and below the diagonal and −∞ above: a token sees those before it.
        tokenizer: the encoder's own.

    Attributes:
        name: of the model.
        width: W, of a token.
        dim: D, of a text vector.
        context: P.
        layers: of the transformer.
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
        """Where it computes."""
        return self._positions.device

    def tokens(self, texts: Sequence[str], learned: int = 0) -> Tensor:
        """Ids of start, text and end, then zeros, up to the end of the longest text.

        Args:
            texts: class names.
            learned: how many vectors each sequence has to take besides.

        Returns:
            int64 [n, L]; the end of a text is the largest id of its row.

        Raises:
            InputError: a text does not fit into the context with them.
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
        """Token vectors [..., W] of ids [...], without their positions."""
        vectors: Tensor = self._embedding(tokens)
        return vectors

    def encode(self, embeddings: Tensor, eot: Tensor) -> Tensor:
        """Raw text vectors e_t.

        What stands behind the last end of text is cut off: a token sees only those before it, so nothing changes.

        Args:
            embeddings: [n, L, W] token vectors, without their positions; L ≤ P.
            eot: int64 [n], where each text ends.

        Returns:
            [n, D].
        """
        length = int(eot.max()) + 1
        x = embeddings[:, :length] + self._positions[:length]
        x = self._transformer(x, attn_mask=self._mask[:length, :length])
        x = self._norm(x[torch.arange(len(x), device=x.device), eot])
        if self._projection is None:
            return x
        return self._projection(x) if isinstance(self._projection, nn.Linear) else x @ self._projection


def tower_of(method: str, tower: Any) -> TextTower:
    """The tower a method was given.

    Raises:
        InputError: it was given none.
    """
    if not isinstance(tower, TextTower):
        raise InputError(f"{method} learns through a text tower, but was given none. Build it with one.")
    return tower
