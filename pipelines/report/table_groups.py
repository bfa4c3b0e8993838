"""Join runs that differ in their seed only into one row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.engine.digest import digest_json
from pipelines.evaluate.metrics_file import DatasetSplit, Metrics, Run
from pipelines.report.collect import Collected, method_title, pairs

Pair = tuple[Metrics | None, Metrics | None]
"""The evaluations of a run within its own dataset and across; one of them may be missing."""


@dataclass(frozen=True)
class Group:
    """Runs of one setting, on one own and one cross target.

    Attributes:
        pairs: one per seed, in the order of the seeds.
    """

    pairs: Sequence[Pair]

    @property
    def known(self) -> Sequence[Metrics]:
        """All evaluations of the group."""
        return [metrics for pair in self.pairs for metrics in pair if metrics]

    @property
    def first(self) -> Metrics:
        """First evaluation, for what is the same in all."""
        return self.known[0]

    @property
    def run(self) -> Run:
        """The run of the first seed."""
        return self.first.run

    @property
    def within(self) -> DatasetSplit | None:
        """The target in the run's own dataset."""
        own = self.pairs[0][0]
        return own.target if own else None

    @property
    def cross(self) -> DatasetSplit | None:
        """The target in another dataset."""
        other = self.pairs[0][1]
        return other.target if other else None

    @property
    def seeds(self) -> list[int]:
        """Seeds, one per run; none of a model whose scores were given."""
        seeds = [next(metrics for metrics in pair if metrics).run.seed for pair in self.pairs]
        return [seed for seed in seeds if seed is not None]

    @property
    def clip_lists(self) -> tuple[str | None, ...]:
        """Digests (sha256) of the clip lists of the two evaluations."""
        return tuple(metrics.clips_file.sha256 if metrics and metrics.clips_file else None for metrics in self.pairs[0])

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Protocol that the evaluations were made under."""
        return self.first.protocol

    @property
    def method(self) -> str:
        """Name of the method with what differs from its defaults."""
        return self.method_without(())

    def method_without(self, settings: Collection[str]) -> str:
        """Name the method without some settings.

        Args:
            settings: names of settings that the table itself names.
        """
        return method_title(self.run, self.notes, settings)

    @property
    def notes(self) -> list[str]:
        """What differs in the protocol: the classified stream and the class names."""
        said = self.protocol
        classify = said.get("classify") or "full"
        classified = [] if classify == "full" else [f"classifies {classify}"]
        names = [] if said.get("names") in (None, "official") else [f"names {said['names']}"]
        return [*classified, *names]

    @property
    def protocol_words(self) -> str:
        """Protocol in words: 'encoder vit-b-16-0123, streams both, plan seg16-k1-256px-q95'."""
        shown = ("encoder", "v2", "streams", "plan", "precision", "prompt")
        words = [f"{name} {self.protocol[name]}" for name in shown if self.protocol.get(name) is not None]
        return ", ".join(words)

    @property
    def marks(self) -> str:
        """Letters of the marks, as in :attr:`pipelines.report.collect.Row.marks`."""
        random = any(metrics.random_weights for metrics in self.known)
        mixed = any(metrics.mixed for metrics in self.known)
        pretrained = any(metrics.pretrained_on for metrics in self.known)
        outdated = any(bool(metrics.outdated) for metrics in self.known)
        return "R" * random + "M" * mixed + "P" * pretrained + "L" * self.run.leaking + "O" * outdated


def groups_of(found: Collected) -> list[Group]:
    """Join the runs that differ in their seed only.

    Controls are in no table of the paper and are left out. Two runs of the same setting and seed,
    whose vectors were made again in between, stay two rows.
    """
    by_run: dict[str, list[Metrics]] = {}
    for metrics in found.evaluations:
        if not metrics.control:
            by_run.setdefault(metrics.run.name, []).append(metrics)
    alike: dict[tuple[str, int], list[Pair]] = {}
    times: dict[tuple[str, int | None], int] = {}
    for evaluations in by_run.values():
        for pair in pairs(evaluations):
            setting, seed = _setting(pair), evaluations[0].run.seed
            again = times.get((setting, seed), 0)
            times[setting, seed] = again + 1
            alike.setdefault((setting, again), []).append(pair)
    return [Group(sorted(same, key=_seed)) for same in alike.values()]


def by_direction(groups: Sequence[Group]) -> list[list[Group]]:
    """Sort groups by source, targets and clips.

    A group that lacks a target goes with those that have it.
    """
    sections: dict[tuple[object, ...], list[Group]] = {}
    for group in sorted(groups, key=lambda group: (group.within is None) + (group.cross is None)):
        key = (str(group.first.trained_on), group.within, group.cross, group.clip_lists)
        fitting = [other for other in sections if _agree(key, other)]
        sections.setdefault(fitting[0] if fitting else key, []).append(group)
    return [members for _, members in sorted(sections.items(), key=lambda item: [str(part) for part in item[0]])]


def _agree(key: tuple[object, ...], other: tuple[object, ...]) -> bool:
    source, within, cross, lists = key
    return (
        source == other[0]
        and (within is None or within == other[1])
        and (cross is None or cross == other[2])
        and lists == other[3]
    )


def _seed(pair: Pair) -> int:
    return next(metrics for metrics in pair if metrics).run.seed or 0


def _setting(pair: Pair) -> str:
    """Return the digest of all that two runs must have in common to be one row."""
    first = next(metrics for metrics in pair if metrics)
    run = first.run.model_dump(exclude={"name", "seed", "key"})
    of_targets = [
        metrics and [str(metrics.target), metrics.protocol, metrics.clips_file.sha256 if metrics.clips_file else None]
        for metrics in pair
    ]
    return digest_json({"run": run, "source": str(first.trained_on), "targets": of_targets})
