from __future__ import annotations

import numpy as np
import pytest

from pocket_kitchens.drawing.domains import EGO4D, EPIC, Domain
from pocket_kitchens.drawing.kitchen import MARGIN, SCALE, draw_kitchen


@pytest.mark.parametrize("domain", [EPIC, EGO4D], ids=lambda domain: domain.name)
def test_kitchens_differ_and_each_is_always_the_same(domain: Domain) -> None:
    kitchens = [draw_kitchen(seed, domain) for seed in range(6)]
    assert all(np.array_equal(draw_kitchen(seed, domain), picture) for seed, picture in enumerate(kitchens))
    assert len({picture.tobytes() for picture in kitchens}) == 6
    assert kitchens[0].shape == (round((0.75 + 2 * MARGIN) * SCALE), round((1 + 2 * MARGIN) * SCALE), 3)


def test_the_domains_look_different() -> None:
    def warmth(domain: Domain) -> float:
        pictures = [draw_kitchen(seed, domain).astype(float) for seed in range(30)]
        below = [picture[picture.shape[0] // 2 :] for picture in pictures]
        return float(np.mean([(part[..., 0] - part[..., 2]).mean() for part in below]))

    assert warmth(EPIC) > warmth(EGO4D) + 8
