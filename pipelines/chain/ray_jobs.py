"""Make shards, or do a call, in a Ray worker."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.chain.executor import never
from pipelines.chain.lanes import narrowed_to
from pipelines.embed.stage import EmbedStage
from pipelines.embed.text import TextStage
from pipelines.engine.digest import canonical_json
from pipelines.engine.inspection import Inspection
from pipelines.engine.ray_workers import Notes
from pipelines.engine.stage import RunPolicy, Stage, make_shards


@dataclass(frozen=True)
class MakeShards:
    """Job that makes shards of one stage.

    Attributes:
        step: identity of the pickled stages of a step, which a worker keeps.
        stages: reference to them, in a list so that Ray does not fetch it.
        place: place of the stage among them.
        items: the shards.
        policy: locks.
    """

    step: int
    stages: list[Any]
    place: int
    items: Sequence[Inspection]
    policy: RunPolicy

    @property
    def pieces(self) -> list[str]:
        """Groups of the shards."""
        return [item.unit.group for item in self.items]

    def run(self, kept: dict[Hashable, Any], notes: Notes) -> Iterator[tuple[str, Any]]:
        """Make the shards; yield each group and whether it was made here."""
        if self.step not in kept:
            kept[self.step] = self._load(kept)
        item = narrowed_to(kept[self.step][self.place], [made.unit for made in self.items])
        for unit, here in make_shards(item, self.items, self.policy, notes):
            yield unit.group, here

    def _load(self, kept: dict[Hashable, Any]) -> list[Stage]:
        """Unpickle the stages; an encoder that the worker has is not loaded again."""
        import ray

        stages: list[Stage] = ray.cloudpickle.loads(ray.get(self.stages[0]))
        for item in stages:
            if isinstance(item, EmbedStage | TextStage):
                identity = item.encoder.identity
                name = canonical_json([identity.slug, dict(identity.provenance), dict(identity.environment)])
                item.encoder = kept.setdefault(name, item.encoder)
        return stages


@dataclass(frozen=True)
class DoCall:
    """Job that does one call."""

    number: str
    call: bytes

    @property
    def pieces(self) -> list[str]:
        """The number of the call."""
        return [self.number]

    def run(self, kept: dict[Hashable, Any], notes: Notes) -> Iterator[tuple[str, Any]]:
        """Do the call; yield its number and result."""
        from ray import cloudpickle

        yield self.number, cloudpickle.loads(self.call)(notes, never)
