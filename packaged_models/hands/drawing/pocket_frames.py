"""Draw frames of the pocket world with their true hand boxes.

The frames show people, kitchens and things that no written world has.
"""

from __future__ import annotations

import numpy as np

from packaged_models.hands.drawing.scene import Picture, SeenHand
from packaged_models.unseen import unseen_clip
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EGO4D, EPIC
from pocket_kitchens.world import allowed_pairs

_FRAMES = 48
_OF_A_CLIP = 3


def pocket_pictures(seed: int, number: int, count: int) -> list[Picture]:
    """Draw ``count`` frames of both domains, three per clip.

    The same arguments give the same frames.
    """
    found: list[Picture] = []
    clip = 0
    while len(found) < count:
        rng = np.random.default_rng((seed, number, clip, 77))
        domain = (EPIC, EGO4D)[clip % 2]
        pairs = allowed_pairs(domain)
        verb, noun = pairs[int(rng.integers(len(pairs)))]
        others = rng.choice([kind for kind in domain.nouns if kind != noun], int(rng.integers(3, 8)), replace=False)
        spec = unseen_clip(rng, verb, noun, others, _FRAMES)
        chosen = {int(place) for place in rng.choice(_FRAMES, _OF_A_CLIP, replace=False)}
        for frame in render(spec, domain, only=chosen):
            hands = [SeenHand("left" if hand.side == "left" else "right", hand.box, hand.held) for hand in frame.hands]
            found.append(Picture(frame.rgb, hands))
        clip += 1
    return found[:count]
