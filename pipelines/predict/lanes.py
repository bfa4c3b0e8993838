"""Lay answers out in time, and merge windows that overlap."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_manifests.schema import LABELS, Label
from pipelines.predict.answer import ClipAnswers

_SHOWN = 3


class Word(NamedTuple):
    """Word with its probability."""

    name: str
    probability: float


@dataclass(frozen=True)
class Moment:
    """Time between two borders of clips, with the answers in it.

    Attributes:
        start_s: the start, seconds from the first displayed frame.
        stop_s: the end, likewise.
        answers: label → best words, best first. Of clips that overlap here, the probabilities are averaged.
        doubtful: the labels whose best word is below the limit of 'none of these'.
        names: the user's names of the clips.
        failed: the reason why there is no answer; None if there is one.
    """

    start_s: float
    stop_s: float
    answers: Mapping[Label, Sequence[Word]]
    doubtful: Sequence[Label]
    names: Sequence[str]
    failed: str | None


@dataclass(frozen=True)
class Span:
    """Time in which one word is the best.

    Attributes:
        start_s: the start, seconds.
        stop_s: the end, seconds.
        word: the best word; None where a clip has no answer.
        probability: mean probability of the word; 1 for a true label.
        doubtful: True if the word is below the limit of 'none of these'.
    """

    start_s: float
    stop_s: float
    word: str | None
    probability: float = 1.0
    doubtful: bool = False


@dataclass(frozen=True)
class Lanes:
    """Answers of one video in the order of time.

    Attributes:
        duration_s: length of the video, seconds.
        labels: the labels that have answers.
        moments: in order; they do not overlap.
    """

    duration_s: float
    labels: Sequence[Label]
    moments: Sequence[Moment]

    @cached_property
    def _starts(self) -> list[float]:
        return [moment.start_s for moment in self.moments]

    def at(self, time_s: float) -> int | None:
        """Return the number of the moment at a time; None between clips."""
        number = bisect.bisect_right(self._starts, time_s) - 1
        return number if number >= 0 and time_s < self.moments[number].stop_s else None

    def segments(self, label: Label) -> list[Span]:
        """Join neighbouring moments with the same best word."""
        found: list[Span] = []
        for moment in self.moments:
            best = next(iter(moment.answers.get(label, ())), None)
            word, share = (best.name, best.probability) if best is not None else (None, 0.0)
            doubtful, last = label in moment.doubtful, found[-1] if found else None
            if last and (last.word, last.doubtful, last.stop_s) == (word, doubtful, moment.start_s):
                long, more = last.stop_s - last.start_s, moment.stop_s - moment.start_s
                share = (last.probability * long + share * more) / (long + more)
                found[-1] = Span(last.start_s, moment.stop_s, word, share, doubtful)
            else:
                found.append(Span(moment.start_s, moment.stop_s, word, share, doubtful))
        return found


class Clips:
    """Answers of one video, kept as one number per clip and word."""

    def __init__(self) -> None:
        self.failed: str | None = None
        """Reason of the first clip without an answer."""
        self._words: dict[Label, dict[str, int]] = {}
        self._clips: list[_Clip] = []

    def add(self, clip: ClipAnswers) -> None:
        """Add a clip with the probabilities of all words."""
        self.failed = self.failed or clip.failed
        shares = {}
        for label, answers in clip.answers.items():
            order = self._words.setdefault(label, {})
            places = [order.setdefault(answer.name, len(order)) for answer in answers]
            shares[label] = np.zeros(len(order), np.float32)
            shares[label][places] = [answer.probability for answer in answers]
        self._clips.append(_Clip(clip.start_s, clip.stop_s, clip.name, clip.failed, shares))

    def lanes(self, duration_s: float, none_below: float | None) -> Lanes:
        """Lay out the answers.

        Args:
            duration_s: length of the video, seconds.
            none_below: least probability of a best word.
        """
        spans = [(clip.start_s, duration_s if clip.stop_s is None else clip.stop_s, clip) for clip in self._clips]
        spans = sorted((span for span in spans if span[0] < span[1]), key=lambda span: span[:2])
        borders = sorted({border for start, stop, _ in spans for border in (start, stop)})
        moments: list[Moment] = []
        open_now: list[tuple[float, float, _Clip]] = []
        coming = 0
        for start, stop in pairwise(borders):
            while coming < len(spans) and spans[coming][0] <= start:
                open_now.append(spans[coming])
                coming += 1
            open_now = [span for span in open_now if span[1] > start]
            if open_now:
                moments.append(self._moment(start, stop, [clip for _, _, clip in open_now], none_below))
        return Lanes(duration_s, [label for label in LABELS if label in self._words], moments)

    def _moment(self, start: float, stop: float, clips: Sequence[_Clip], none_below: float | None) -> Moment:
        answered = [clip for clip in clips if clip.failed is None]
        answers = {
            label: _best(list(order), [clip.shares[label] for clip in answered])
            for label, order in self._words.items()
            if answered
        }
        doubtful = [
            label for label, best in answers.items() if none_below is not None and best[0].probability < none_below
        ]
        names = list(dict.fromkeys(clip.name for clip in answered or clips if clip.name))
        return Moment(start, stop, answers, doubtful, names, None if answered else clips[0].failed)


@dataclass(frozen=True, eq=False)
class _Clip:
    start_s: float
    stop_s: float | None
    name: str | None
    failed: str | None
    shares: Mapping[Label, np.ndarray]


def _best(words: Sequence[str], several: Sequence[np.ndarray]) -> list[Word]:
    """Average the probabilities of each word; return the best words."""
    mean = np.zeros(len(words))
    for shares in several:
        mean[: len(shares)] += shares.astype(np.float64) / len(several)
    return [Word(words[at], float(mean[at])) for at in np.argsort(-mean, kind="stable")[:_SHOWN] if mean[at] > 0]


def truth_of(segments: Iterable[tuple[float, float | None, str | None]], duration_s: float) -> list[Span]:
    """Make segments of true labels, in the order of time.

    A later one cuts off an earlier one that overlaps it.

    Args:
        segments: start, stop (None = the end of the video) and label of each; None for one without a label.
        duration_s: length of the video, seconds.
    """
    found: list[Span] = []
    for start, stop, word in sorted(segments, key=lambda item: item[0]):
        if word is None:
            continue
        if found and found[-1].stop_s > start:
            found[-1] = Span(found[-1].start_s, start, found[-1].word)
        found.append(Span(start, duration_s if stop is None else stop, word))
    return [segment for segment in found if segment.start_s < segment.stop_s]
