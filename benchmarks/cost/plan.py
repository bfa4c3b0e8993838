"""What is measured, and what is reckoned from it where a step would take too long to be made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.result_file import Results

LIMIT_S = 30.0
"""A step that is expected to take longer is reckoned. In seconds of one processor thread: about a minute on a machine
that does other work besides."""

REFERENCE = "xmic"
"""The method that the others' costs are divided by."""


@dataclass(frozen=True)
class Growth:
    """How the time of a step grows with its clips, for methods whose steps can take too long to be made.

    Attributes:
        pair: two numbers of clips; the difference between their steps is what the clips between them cost.
        among: how many classes the pair is measured with: 'few' and 'first' where no clip meets the text tower, so that
            what a clip costs does not depend on the classes; 'own', as many as the step has, where it does.
        again: whether the pair, and the step that is started from, compute their activations again on the way back
            though they are small: steps of many clips do so by themselves.
    """

    pair: tuple[int, int]
    among: Literal["few", "first", "own"]
    again: bool = False


_PROMPTS = Growth((16, 128), "few")

METHODS: dict[str, Growth | None] = {
    "xmic": None,
    "late-fusion": None,
    "zero-shot": None,
    "clip-adapter": None,
    "clip-adapter-temporal": None,
    "coop": _PROMPTS,
    "cocoop": Growth((1, 2), "own", again=True),
    "vita-clip": Growth((1, 2), "first", again=True),
    "a5": _PROMPTS,
    "a6": _PROMPTS,
}
"""Method → how its step grows, None where every step is short. In the order in which they are measured."""


@dataclass(frozen=True)
class Grid:
    """The sizes.

    Attributes:
        classes: C.
        clips: B.
        few: classes that are next to nothing, see :class:`Growth`.
    """

    classes: tuple[int, ...] = (100, 300, 521)
    clips: tuple[int, ...] = (16, 128)
    few: int = 8


@dataclass(frozen=True)
class Step:
    """A training step to be measured.

    Attributes:
        method: which.
        classes: C.
        clips: B.
        again: activations are computed again on the way back, whatever the size.
    """

    method: str
    classes: int
    clips: int
    again: bool = False

    @property
    def name(self) -> str:
        """Of its result."""
        return f"{self.method}/step-c{self.classes}-b{self.clips}{'-again' if self.again else ''}"


@dataclass(frozen=True)
class Cost:
    """What a step costs.

    Attributes:
        seconds: of one step.
        bytes: what memory grows by at most while it is made; None where it cannot be read.
        reckoned: the time is reckoned from shorter steps, and ``bytes`` are of the largest of those.
    """

    seconds: float
    bytes: int | None
    reckoned: bool = False


def cost_of(results: Results, method: str, classes: int, clips: int, grid: Grid) -> Cost | Step:
    """What a step costs by the results that are there, or the step that has to be measured next to know it."""
    wanted = Step(method, classes, clips)
    found = results.read(wanted.name)
    if found is not None:
        return Cost(found["seconds"], found["bytes"])
    reckoned = reckon(results, wanted, grid)
    if isinstance(reckoned, Cost) and reckoned.seconds <= LIMIT_S:
        return wanted
    return reckoned


def reckon(results: Results, wanted: Step, grid: Grid) -> Cost | Step:
    """What a step costs by shorter ones, or the step that has to be measured next; itself where none is shorter.

    A step of B clips takes s(C, b) + (B − b)·(s(C', b') − s(C', b)) / (b' − b), with (b, b') the pair of
    :class:`Growth` and C' the classes it is measured with.
    """
    growth, classes = METHODS[wanted.method], wanted.classes
    if growth is None:
        return wanted
    small, large = growth.pair
    if wanted.clips == small and not growth.again:
        return wanted
    among = {"few": grid.few, "first": grid.classes[0], "own": classes}[growth.among]
    shorter = []
    for of, clips in ((among, small), (among, large), (classes, small)):
        part = Step(wanted.method, of, clips, growth.again)
        result = results.read(part.name)
        if result is None:
            return part
        shorter.append(result)
    low, high, start = shorter
    a_clip = max(0.0, high["seconds"] - low["seconds"]) / (large - small)
    held = [part["bytes"] for part in (start, high) if part["bytes"] is not None]
    return Cost(start["seconds"] + (wanted.clips - small) * a_clip, max(held, default=None), reckoned=True)


def score_name(method: str, classes: int) -> str:
    """Of the result of a method's test."""
    return f"{method}/test-c{classes}"


EMBEDDING = "embedding"
"""The result of one clip's frames through the image tower."""


def measure_all(
    results: Results,
    methods: Sequence[str],
    grid: Grid,
    step: Callable[[Step], dict[str, Any]],
    score: Callable[[str, int], dict[str, Any]],
    embed: Callable[[], dict[str, Any]],
    say: Callable[[str], None],
) -> int:
    """Measure what is missing; every result is kept as soon as it is there.

    Args:
        results: where.
        methods: of :data:`METHODS`.
        grid: the sizes.
        step: measures a training step: 'seconds' and 'bytes'.
        score: measures the test of a method with so many classes.
        embed: measures one clip's frames through the image tower.
        say: told of every result.

    Returns:
        How many were measured.
    """
    made = 0

    def keep(name: str, result: dict[str, Any]) -> None:
        nonlocal made
        results.write(name, result)
        made += 1
        say(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in result.items() if value is not None))

    for method in methods:
        for classes in grid.classes:
            if results.read(score_name(method, classes)) is None:
                keep(score_name(method, classes), score(method, classes))
            for clips in grid.clips if method != "zero-shot" else ():
                while isinstance(needed := cost_of(results, method, classes, clips, grid), Step):
                    keep(needed.name, step(needed))
    if results.read(EMBEDDING) is None:
        keep(EMBEDDING, embed())
    return made
