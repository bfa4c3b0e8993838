"""Plan a world of Pocket Kitchens: its videos, clips, people and things.

It is laid out as an experiment. The people, kitchens and instances of training, test and encoder pretraining are
disjoint. A fifth of the verb–noun pairs occur in test clips only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.engine.digest import number_of
from pocket_kitchens.drawing.domains import ON_CONTAINERS, Domain
from pocket_kitchens.drawing.objects import is_container
from pocket_kitchens.drawing.spec import ClipSpec

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")

INSTANCES = {"train": range(0, 400), "test": range(400, 800), "pretraining": range(800, 6000)}
"""Seeds of the instances of every kind, by their use."""

KITCHENS = {"train": range(0, 1000), "test": range(1000, 2000), "pretraining": range(2000, 6000)}
PEOPLE = {"train": range(0, 1000), "test": range(1000, 2000), "pretraining": range(2000, 6000)}
"""Seeds of worktops and of hands, offset by domain."""

TEST_ONLY = 0.2
"""Share of the verb–noun pairs that no training clip shows."""

_VIDEOS_A_PERSON = 12

Pair = tuple[str, str]
"""(verb, noun)."""


@dataclass(frozen=True)
class Size:
    """Number of clips of a domain, and of clips per video.

    Attributes:
        train: number of training clips.
        test: number of test clips.
        per_video: fewest and most clips of a video. A small world has short videos, because bootstrap intervals over
            recordings need more than a handful of them.
    """

    train: int
    test: int
    per_video: tuple[int, int] = (4, 10)


SIZES = {
    "small": Size(24, 16, (2, 3)),
    "demo": Size(150, 200, (3, 6)),
    "compact": Size(600, 500),
    "medium": Size(1000, 750),
    "full": Size(4000, 3000),
}


@dataclass(frozen=True)
class PlannedVideo:
    """Video of consecutive clips, in one kitchen, by one person.

    Attributes:
        number: number of the video, counted from 1 within the person.
        person: number of the person, counted from 1 within the domain.
        split: split of all its clips.
        clips: the contents of each clip.
        overlaps: seconds by which each clip's annotation runs into the next clip.
    """

    number: int
    person: int
    split: Split
    clips: tuple[ClipSpec, ...]
    overlaps: tuple[float, ...]

    def starts(self, fps: int) -> list[float]:
        """Return the start of each clip, in seconds."""
        frames = np.cumsum([0, *(clip.frames for clip in self.clips)])
        return [float(count / fps) for count in frames[:-1]]


def plan_world(domain: Domain, size: Size, seed: int) -> list[PlannedVideo]:
    """Plan all videos of a domain, training videos first.

    The same arguments give the same world.
    """
    rng = np.random.default_rng(_seed("world", domain.name, seed))
    pairs = allowed_pairs(domain)
    weights = _popularity(domain, pairs, rng)
    unseen = _unseen_pairs(domain, pairs, rng)
    videos: list[PlannedVideo] = []
    person = 0
    for split, count in (("train", size.train), ("test", size.test)):
        kept = [index for index, pair in enumerate(pairs) if split == "test" or pair not in unseen]
        share = weights[kept] / weights[kept].sum()
        drawn = [pairs[kept[index]] for index in rng.choice(len(kept), size=count, p=share)]
        more, person = _videos(domain, split, drawn, person, rng, seed, size.per_video)  # type: ignore[arg-type]
        videos += more
    return videos


def allowed_pairs(domain: Domain) -> list[Pair]:
    """List every verb with every noun that it can act on."""
    return [
        (verb, noun)
        for verb in domain.verbs
        for noun in domain.nouns
        if verb not in ON_CONTAINERS or is_container(noun)
    ]


def noun_predicts_verb(videos: Iterable[PlannedVideo]) -> float:
    """Compute how often the noun alone gives away the verb.

    Returns:
        Percentage of test clips whose verb is the most frequent training verb of their noun. A model that looks only at
        the thing would reach it.
    """
    of_noun: dict[str, Counter[str]] = defaultdict(Counter)
    right = total = 0
    for video in videos:
        for clip in video.clips:
            if video.split == "train":
                of_noun[clip.noun][clip.verb] += 1
                continue
            total += 1
            best = of_noun[clip.noun].most_common(1)
            right += bool(best) and best[0][0] == clip.verb
    return 100 * right / total if total else 0.0


def _seed(*parts: object) -> int:
    return number_of("/".join(str(part) for part in parts))


def _popularity(domain: Domain, pairs: Sequence[Pair], rng: np.random.Generator) -> np.ndarray:
    """Draw the weight of each pair.

    Some nouns and verbs are frequent, many are rare, and each pair is more or less usual.
    """
    of_noun = dict(zip(domain.nouns, 1 / rng.permutation(np.arange(2, 2 + len(domain.nouns))) ** 0.6, strict=True))
    of_verb = dict(zip(domain.verbs, 1 / rng.permutation(np.arange(2, 2 + len(domain.verbs))) ** 0.5, strict=True))
    usual = rng.lognormal(0, 0.6, len(pairs))
    return np.array([of_verb[verb] * of_noun[noun] for verb, noun in pairs]) * usual


def _unseen_pairs(domain: Domain, pairs: Sequence[Pair], rng: np.random.Generator) -> set[Pair]:
    """Choose the fifth of the pairs that only test clips show.

    Every noun and every verb keeps other pairs for training.
    """
    left = Counter(name for pair in pairs for name in pair)
    unseen: set[Pair] = set()
    for index in rng.permutation(len(pairs)):
        pair = pairs[index]
        if len(unseen) >= TEST_ONLY * len(pairs):
            break
        if min(left[name] for name in pair) > 3:
            unseen.add(pair)
            left.subtract(pair)
    return unseen


def _videos(
    domain: Domain,
    split: Split,
    pairs: Sequence[Pair],
    person: int,
    rng: np.random.Generator,
    seed: int,
    per_video: tuple[int, int],
) -> tuple[list[PlannedVideo], int]:
    found: list[PlannedVideo] = []
    taken = 0
    per_person = min(_VIDEOS_A_PERSON, max(1, len(pairs) // (4 * per_video[1])))
    while taken < len(pairs):
        if len(found) % per_person == 0:
            person += 1
        count = min(int(rng.integers(per_video[0], per_video[1] + 1)), len(pairs) - taken)
        number = len(found) % per_person + 1
        kitchen = _of(KITCHENS[split], "kitchen", domain.name, seed, person)
        clips = tuple(_clip(domain, split, pair, kitchen, person, rng, seed) for pair in pairs[taken : taken + count])
        overlaps = [float(rng.uniform(0.2, 0.5)) if rng.random() < 0.3 else 0.0 for _ in clips]
        found.append(PlannedVideo(number, person, split, clips, (*overlaps[:-1], 0.0)))
        taken += count
    return found, person


def _clip(
    domain: Domain, split: Split, pair: Pair, kitchen: int, person: int, rng: np.random.Generator, seed: int
) -> ClipSpec:
    verb, noun = pair
    others = [other for other in domain.nouns if other != noun]
    kinds = rng.choice(others, size=int(rng.integers(3, 8)), replace=False)
    instances = INSTANCES[split]
    distractors = tuple((str(kind), int(rng.integers(instances.start, instances.stop))) for kind in kinds)
    return ClipSpec(
        seed=int(rng.integers(2**62)),
        verb=verb,
        noun=noun,
        instance=int(rng.integers(instances.start, instances.stop)),
        distractors=distractors,
        kitchen=kitchen,
        person=_of(PEOPLE[split], "person", domain.name, seed, person),
        frames=round(float(rng.uniform(*domain.seconds)) * domain.fps),
    )


def _of(seeds: range, *parts: object) -> int:
    return seeds[_seed(*parts) % len(seeds)]
