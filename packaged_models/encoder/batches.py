"""Training batches of pictures and captions.

Each batch is a function of the seed and the step alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from packaged_models.encoder.captions import caption_of_action, caption_of_things
from packaged_models.encoder.drawings import Drawings
from packaged_models.encoder.pictures import SMALLEST, compose, photographed
from pocket_kitchens.drawing.objects import KINDS


@dataclass(frozen=True)
class Lesson:
    """Part of a training, with the contents of its pictures.

    Attributes:
        until: share of the training at which the part ends.
        things: chances of one, two, … things in a picture without an action.
        smallest: least longer side of a thing, as a share of the picture's side.
        actions: share of the pictures that show an action.
    """

    until: float
    things: tuple[float, ...] = (0.45, 0.25, 0.2, 0.1)
    smallest: float = SMALLEST
    actions: float = 0.0


_FLIPPED = 0.5


class Batches(Dataset):
    """Data set whose item ``step`` is that step's batch.

    The drawings are opened in the process that first reads a batch.

    Args:
        drawings: drawings from which pictures are composed.
        seed: seed of all choices.
        size: pictures per batch.
        steps: number of batches.
        lesson: contents of the pictures.
    """

    def __init__(self, drawings: Drawings, seed: int, size: int, steps: int, lesson: Lesson) -> None:
        self._drawings, self._seed, self._size, self._steps = drawings, seed, size, steps
        self._lesson = lesson
        self._things: list[np.ndarray] | None = None
        self._actions: tuple[list[str], list[str], np.ndarray] | None = None

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Tensor, list[str]]:
        """Compose the batch of a step.

        Returns:
            Pictures, uint8 ``[B, 3, 128, 128]``, and the B captions.
        """
        rng = np.random.default_rng((self._seed, step))
        shown = [self._one(rng) for _ in range(self._size)]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in shown]))
        return pictures.permute(0, 3, 1, 2), [caption for _, caption in shown]

    def _one(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        picture, caption = self._action(rng) if rng.random() < self._lesson.actions else self._thing(rng)
        return (picture[:, ::-1] if rng.random() < _FLIPPED else picture), caption

    def _thing(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        if self._things is None:
            self._things = self._drawings.things()
        count = 1 + int(rng.choice(len(self._lesson.things), p=self._lesson.things))
        chosen = [int(index) for index in rng.choice(len(KINDS), size=count, replace=False)]
        drawn = [(KINDS[k], self._things[k][int(rng.integers(len(self._things[k])))]) for k in chosen]
        made = compose(drawn, rng, self._lesson.smallest)
        return made.rgb, caption_of_things(made.things, rng)

    def _action(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        if self._actions is None:
            self._actions = self._drawings.actions()
        verbs, nouns, pictures = self._actions
        scene = int(rng.integers(len(verbs)))
        picture = pictures[scene, int(rng.integers(pictures.shape[1]))]
        caption = caption_of_action(verbs[scene], nouns[scene], rng)
        return photographed(picture.astype(np.float32), rng), caption
