"""Compare each trained setting with zero-shot on the same clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.errors import InputError
from data_manifests.schema import LABELS, Label
from pipelines.engine.digest import digest_json
from pipelines.evaluate.compare import Comparison, Side, compare
from pipelines.evaluate.intervals import Interval
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.collect import apart_notes, method_name, method_notes, method_title

_SAME = ("encoder", "prompt", "names")


@dataclass(frozen=True)
class Headline:
    """Difference of a trained setting from zero-shot, in points.

    Runs that differ in their seed only are one setting: its numbers are means over the seeds.

    Attributes:
        run: name of the first seed's run, with its control.
        control: whether the clips or the X-MIC vectors were altered.
        method: title of the method.
        name: name of the method and its preset.
        notes: what differs from the preset.
        seeds: of the runs.
        trained_on: 'dataset split'.
        target: 'dataset split'.
        within: the target is of the dataset that was trained on.
        label: noun or verb.
        clips: number of clips.
        top1: percent.
        zero_shot: percent of zero-shot on the same clips.
        difference: in points.
        interval: 95 % of the difference: paired cluster bootstrap over recordings, and over three seeds or more; None
            where drawing them shows no spread.
        few: fewer than 30 recordings or 100 clips.
    """

    run: str
    control: bool
    method: str
    name: str
    notes: Sequence[str]
    seeds: Sequence[int]
    trained_on: str
    target: str
    within: bool
    label: Label
    clips: int
    top1: float
    zero_shot: float
    difference: float
    interval: Interval | None
    few: bool

    @property
    def significant(self) -> bool:
        """Whether there is an interval and it leaves out 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)

    @property
    def points(self) -> str:
        """Difference with its interval: '+10.2 (+6.4 to +14.1)', '+10.2 (no interval)'."""
        return f"{signed(self.difference)} ({self.between})"

    @property
    def between(self) -> str:
        """Interval of the difference in words."""
        return " to ".join(map(signed, self.interval)) if self.interval else "no interval"

    @property
    def text(self) -> str:
        """The whole line in words."""
        said = "" if self.significant or self.interval is None else ", not significant"
        seeds = f", mean of {len(self.seeds)} seeds," if len(self.seeds) > 1 else ""
        return (
            f"{self.method} trained on {self.trained_on}{seeds} against zero-shot on {self.clips:,} clips of "
            f"{self.target}: {self.label}s {self.top1:.1f} against {self.zero_shot:.1f}, {self.points}{said}"
        )


def signed(points: float) -> str:
    """Write points with their sign: '+2.5', '-5.0' or '0.0'."""
    rounded = round(points, 1)
    return "0.0" if rounded == 0 else f"{rounded:+.1f}"


def beside_zero_shot(trained: Metrics, evaluations: Sequence[Metrics]) -> Metrics | None:
    """Find the zero-shot evaluation on the same target, encoder and names.

    One of the same classified stream is preferred.
    """
    same = [
        plain
        for plain in evaluations
        if plain.run.method == "zero-shot"
        and not plain.control
        and plain.target == trained.target
        and all(plain.protocol.get(name) == trained.protocol.get(name) for name in _SAME)
    ]
    same.sort(key=lambda plain: plain.protocol.get("classify") != trained.protocol.get("classify"))
    return next(iter(same), None)


def headlines(evaluations: Sequence[Metrics]) -> list[Headline]:
    """Compare each trained setting with zero-shot, within its dataset first."""
    settings: dict[tuple[str, int], list[Metrics]] = {}
    for metrics in evaluations:
        if metrics.run.method == "zero-shot":
            continue
        key = _setting(metrics)
        again = 0  # The same seed a second time, with vectors that were made again in between, is no seed more.
        while any(metrics.run.seed == other.run.seed for other in settings.get((key, again), ())):
            again += 1
        settings.setdefault((key, again), []).append(metrics)
    found = [line for seeds in settings.values() for line in _of(seeds, evaluations)]
    return sorted(found, key=lambda line: (line.run, not line.within))


def plain(line: Headline) -> dict[str, Any]:
    """Return a headline as plain values, for JSON."""
    return {**vars(line), "significant": line.significant, "points": line.points, "text": line.text}


def _setting(metrics: Metrics) -> str:
    """Return the digest of all but the seed; scores that were given have no seed and stay alone."""
    left_out = set() if metrics.run.scored else {"name", "seed", "key"}
    run = metrics.run.model_dump(exclude=left_out)
    clips = metrics.clips_file.sha256 if metrics.clips_file else None
    targets = [str(metrics.trained_on), str(metrics.target), clips, list(metrics.control.words)]
    return digest_json({"run": run, "targets": targets, "protocol": metrics.protocol})


def _of(seeds: Sequence[Metrics], evaluations: Sequence[Metrics]) -> Iterator[Headline]:
    seeds = sorted(seeds, key=lambda metrics: metrics.run.seed or 0)
    first = seeds[0]
    other = beside_zero_shot(first, evaluations)
    if other is None:
        return
    notes = [*apart_notes(first), *first.control.words]
    for label in LABELS:
        mine, theirs = [metrics.labels.get(label) for metrics in seeds], other.labels.get(label)
        numbers = [one for one in mine if one is not None and one.top1 is not None]
        if len(numbers) < len(mine) or theirs is None or theirs.top1 is None:
            continue
        compared = _compared(first.stream, [one.recordings for one in numbers], theirs.recordings)
        if compared is None:
            continue
        yield Headline(
            first.name,
            bool(first.control),
            method_title(first.run, notes),
            method_name(first.run),
            method_notes(first.run, notes),
            [metrics.run.seed for metrics in seeds if metrics.run.seed is not None],
            str(first.trained_on),
            str(first.target),
            first.within,
            label,
            numbers[0].n_evaluated,
            theirs.top1 + compared.difference,
            theirs.top1,
            compared.difference,
            compared.interval,
            numbers[0].few,
        )


def _compared(stream: int, mine: Any, theirs: Any) -> Comparison | None:
    try:
        return compare(Side([mine], [stream]), Side([[theirs]], [stream]))
    except InputError:
        # The two are on other clips, so there is no pair.
        return None
