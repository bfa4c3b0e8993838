"""Write sentences on what a report shows, and its cautions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.evaluate.intervals import MIN_CLIPS, MIN_RECORDINGS
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.collect import Collected
from pipelines.report.headlines import Headline, signed

MOST = 4
"""Sentences that are shown at once; the others are folded."""


@dataclass(frozen=True)
class Difference:
    """Difference of one label from zero-shot, in words.

    ``said`` is 'not significant' or empty. ``few`` is set over fewer than 30 recordings or 100 clips.
    """

    label: str
    numbers: str
    points: str
    interval: str
    significant: bool
    said: str
    few: bool


@dataclass(frozen=True)
class Sentence:
    """Sentence of a trained setting against zero-shot on one target.

    Attributes:
        name: method and preset.
        notes: what differs from the preset, and the seeds.
        trained_on: dataset.
        place: the clips: '200 clips of epic val'.
        differences: of nouns, of verbs.
    """

    name: str
    notes: str
    trained_on: str
    place: str
    differences: Sequence[Difference]


@dataclass(frozen=True)
class Caution:
    """What a reader must know before the numbers.

    ``kind`` is 'warn' where numbers are wrong or misleading, 'note' where they are uncertain.
    """

    kind: str
    title: str
    text: str
    items: Sequence[str] = ()


def sentences(lines: Sequence[Headline], *, controls: bool) -> list[Sentence]:
    """Join nouns and verbs of a setting and target into a sentence.

    Sentences of X-MIC come first.

    Args:
        lines: of :func:`pipelines.report.headlines.headlines`.
        controls: take the settings with altered frames or vectors, else all others.
    """
    joined: dict[tuple[str, str], list[Headline]] = {}
    for line in lines:
        if line.control == controls:
            joined.setdefault((line.run, line.target), []).append(line)
    found = [_sentence(same) for same in joined.values()]
    return sorted(found, key=lambda sentence: not sentence.name.startswith("xmic"))


def verdict(lines: Sequence[Headline]) -> str:
    """Count the significant comparisons in one sentence.

    Controls are left out. The sentence is empty where there are fewer than four comparisons.
    """
    counted = [line for line in lines if not line.control]
    if len(counted) < 4:
        return ""
    sure = [line.difference > 0 for line in counted if line.significant]
    without = sum(line.interval is None for line in counted)
    no_interval = [f"{without} {'has' if without == 1 else 'have'} no interval"] if without else []
    if not sure:
        return "; ".join([f"None of {len(counted)} comparisons with zero-shot is significant", *no_interval]) + "."
    rest = len(counted) - len(sure) - without
    parts = [
        f"{_count(sum(sure))} significantly better",
        f"{_count(len(sure) - sum(sure))} significantly worse",
        f"{_count(rest)} not significant",
        *no_interval,
    ]
    return f"Of {len(counted)} comparisons with zero-shot, {', '.join(parts[:-1])} and {parts[-1]}."


def _count(number: int) -> str:
    return {0: "none is", 1: "1 is"}.get(number, f"{number} are")


def _sentence(lines: Sequence[Headline]) -> Sentence:
    first = lines[0]
    counts = {line.clips for line in lines}
    clips = f"{first.clips:,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
    seeds = [f"mean of {len(first.seeds)} seeds"] if len(first.seeds) > 1 else []
    differences = [
        Difference(
            f"{line.label}s",
            f"{line.top1:.1f} against {line.zero_shot:.1f}",
            _minus(signed(line.difference)),
            _minus(line.between),
            line.significant,
            "" if line.significant or line.interval is None else "not significant",
            line.few,
        )
        for line in lines
    ]
    notes = "; ".join([*first.notes, *seeds])
    return Sentence(
        first.name, notes, first.trained_on.partition(" ")[0], f"{clips} clips of {first.target}", differences
    )


def _minus(text: str) -> str:
    """Write a hyphen as the minus that is as wide as a plus."""
    return text.replace("-", "−")


def cautions(found: Collected) -> list[Caution]:
    """List what is wrong, missing or uncertain in the evaluations.

    What makes numbers wrong comes first.
    """
    return [*_warnings(found), *_notes(found)]


def _warnings(found: Collected) -> Iterator[Caution]:
    if found.random_weights:
        names = ", ".join(found.random_weights)
        yield Caution(
            "warn", "Random weights", f"{names}. These numbers show that the chain runs and mean nothing else."
        )
    if found.mixed:
        yield Caution("warn", "Mixed artifacts", "Run and target were not made the same way.", found.mixed)
    if found.leaking:
        text = "The kept epoch was chosen by labelled clips of a target. Its numbers there are not of unseen data."
        yield Caution("warn", "Leaking", text, found.leaking)
    if found.outdated:
        text = "Clips or labels were prepared again since. What makes these again is under “Not run yet”."
        yield Caution("warn", "Out of date", text, found.outdated)
    partial = list(dict.fromkeys(text for metrics in found.evaluations for text in _partial(metrics)))
    if partial:
        yield Caution("warn", "Clips are missing", "These numbers are marked with a star.", partial)


def _notes(found: Collected) -> Iterator[Caution]:
    if found.pretrained_on:
        names = "; ".join(found.pretrained_on)
        yield Caution(
            "note", "Pretrained encoders", f"{names}. On that dataset their results are not of unseen videos."
        )
    few = list(dict.fromkeys(text for metrics in found.evaluations for text in _few(metrics)))
    if few:
        text = f"Numbers over fewer than {MIN_RECORDINGS} recordings or {MIN_CLIPS} clips are grey"
        yield Caution("note", "Few clips", f"{text}: {'; '.join(few)}.")
    hands = list(dict.fromkeys(text for metrics in found.evaluations for text in _without_hands(metrics)))
    if hands:
        yield Caution("note", "Frames without hands", f"{'; '.join(hands)}. The full frame was taken instead.")


def _partial(metrics: Metrics) -> Iterator[str]:
    for label, numbers in metrics.labels.items():
        if numbers.partial:
            counts = f"{numbers.n_evaluated:,} of {numbers.n_official:,} clips with a {label}"
            yield f"{metrics.name} on {metrics.target}: {counts}"


def _few(metrics: Metrics) -> Iterator[str]:
    numbers = next((one for one in metrics.labels.values() if one.few), None)
    if numbers is not None:
        recordings = sum(1 for _, clips in numbers.recordings.values() if clips)
        of = "recording" if recordings == 1 else "recordings"
        yield f"{metrics.target} has {numbers.n_evaluated:,} clips of {recordings} {of}"


def _without_hands(metrics: Metrics) -> Iterator[str]:
    if metrics.hand_fallback_rate:
        yield f"{100 * metrics.hand_fallback_rate:.0f} % of the frames of {metrics.target}"
