"""An encoder of one's own whose text tower is open: for tests of methods that learn through it."""

from __future__ import annotations

import functools
from typing import Any

from pipelines.embed.encoders.spec import EncoderIdentity, EncoderOptions
from pipelines.embed.stage import LazyEncoder
from pipelines.methods.text_tower import TextTower
from tests.pipelines.embedded_world import DIM, FakeEncoder
from tests.pipelines.methods import tiny_tower

SPEC = "tests.pipelines.towered_encoder:TowerEncoder"
LOADED: list[EncoderOptions] = []
"""Grows when one is loaded."""


@functools.cache
def _network() -> Any:
    return tiny_tower.network(embed_dim=DIM).float()


class TowerEncoder(FakeEncoder):
    """Pictures as the fake encoder, class names as well; the text tower is another, small one."""

    def __init__(self, spec: str, options: EncoderOptions) -> None:
        LOADED.append(options)

    @classmethod
    def describe(cls, spec: str, options: EncoderOptions) -> EncoderIdentity:
        """The same whatever the options."""
        facts = {"spec": SPEC, "weights_sha256": "a" * 64, "precision": "fp32", "normalised": False}
        return EncoderIdentity("towered-00000000", facts, facts, {})

    def text_tower(self) -> TextTower:
        """As wide as the vectors."""
        return tiny_tower.tower(_network())


def lazy() -> LazyEncoder:
    """As ``xmic embed`` has it."""
    options = EncoderOptions("fp32", 1, "cpu")
    return LazyEncoder(TowerEncoder.describe(SPEC, options), lambda: TowerEncoder(SPEC, options))
