"""Draw third-person pictures of actions, for captions with a verb.

The pictures are taken from across or beside the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from packaged_models.encoder.captions import VERBS
from packaged_models.encoder.pictures import SIDE
from packaged_models.unseen import unseen_clip
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import ON_CONTAINERS, Domain
from pocket_kitchens.drawing.objects import KINDS, is_container
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH

PICTURES_A_SCENE = 4
"""Number of instants taken of one scene, each from another side."""

_FRAMES = 24


@dataclass(frozen=True, eq=False)
class ActionScene:
    """Pictures of one scene with its verb and noun.

    Attributes:
        verb: the action.
        noun: kind of the thing that is acted on.
        pictures: uint8 ``[4, 128, 128, 3]``.
    """

    verb: str
    noun: str
    pictures: np.ndarray


def action_scene(seed: int, number: int) -> ActionScene:
    """Draw scene ``number`` of a seed.

    It shows a verb on any kind that the verb can act on. The people and kitchens occur in no video.
    """
    rng = np.random.default_rng((seed, number))
    verb = VERBS[number % len(VERBS)]
    nouns = [kind for kind in KINDS if verb not in ON_CONTAINERS or is_container(kind)]
    noun = nouns[int(rng.integers(len(nouns)))]
    others = rng.choice([kind for kind in KINDS if kind != noun], size=int(rng.integers(0, 4)), replace=False)
    spec = unseen_clip(rng, verb, noun, others, _FRAMES)
    instants = rng.choice(np.arange(3, _FRAMES), size=PICTURES_A_SCENE, replace=False)
    frames = list(render(spec, _look(rng), only={int(instant) for instant in instants}))
    return ActionScene(verb, noun, np.stack([_from_another_side(frame.rgb, rng) for frame in frames]))


def _look(rng: np.random.Generator) -> Domain:
    return Domain(
        name="pictures",
        nouns=KINDS,
        verbs=VERBS,
        fps=_FRAMES,
        seconds=(1.0, 1.0),
        warmth=float(rng.uniform(-0.6, 0.6)),
        saturation=float(rng.uniform(0.7, 1.2)),
        tilt=20.0,
        zoom=(0.9, 1.3),
        noise=float(rng.uniform(0, 5)),
        tiles=bool(rng.random() < 0.5),
    )


def _from_another_side(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of a frame and turn it.

    It is turned by a quarter, a half or three quarters, so the picture is never as the person sees it.
    """
    side = int(rng.uniform(0.68, 1.0) * HEIGHT)
    left = int((WIDTH - side) / 2 + rng.uniform(-0.5, 0.5) * (WIDTH - side) * 0.6)
    top = int(rng.uniform(0, 1) * (HEIGHT - side))
    part = np.rot90(frame[top : top + side, left : left + side], int(rng.integers(1, 4)))
    return np.asarray(cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=cv2.INTER_AREA))
