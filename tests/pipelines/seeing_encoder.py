"""An encoder of one's own, both towers of which are open: for tests of methods that see pictures."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.embed.encoders.spec import EncoderIdentity, EncoderOptions
from pipelines.embed.stage import LazyEncoder
from pipelines.methods.visual_tower import VisualTower
from tests.pipelines.embedded_world import DIM, FakeEncoder
from tests.pipelines.methods.small_towers import MEAN, STD, SmallTextTower, transformer

SPEC = "tests.pipelines.seeing_encoder:SeeingEncoder"


class SeeingEncoder(FakeEncoder):
    """Vectors as the fake encoder; its towers are others, small ones."""

    def __init__(self, spec: str, options: EncoderOptions) -> None:
        pass

    @classmethod
    def describe(cls, spec: str, options: EncoderOptions) -> EncoderIdentity:
        """The same whatever the options."""
        facts = {"spec": SPEC, "weights_sha256": "a" * 64, "precision": "fp32", "normalised": False}
        return EncoderIdentity("seeing-00000000", facts, facts, {})

    def picture(self, picture: np.ndarray) -> np.ndarray:
        """16 × 16, as the small tower takes them."""
        return cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)

    def visual_tower(self) -> VisualTower:
        """As wide as the vectors."""
        return VisualTower(transformer(output_dim=DIM), MEAN, STD)

    def text_tower(self) -> SmallTextTower:
        """As wide as the vectors."""
        return SmallTextTower(dim=DIM)


def lazy() -> LazyEncoder:
    """As ``xmic embed`` has it."""
    options = EncoderOptions("fp32", 1, "cpu")
    return LazyEncoder(SeeingEncoder.describe(SPEC, options), lambda: SeeingEncoder(SPEC, options))
