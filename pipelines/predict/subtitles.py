"""Write answers as subtitles, in SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from data_manifests.schema import Label
from pipelines.predict.lanes import Lanes, Moment

NONE = "none of these"


@dataclass(frozen=True)
class Cue:
    """Text that is shown from one time to another, seconds."""

    start_s: float
    stop_s: float
    lines: Sequence[str]


def cues(lanes: Lanes) -> list[Cue]:
    """Make a cue for each time with the same best words."""
    found: list[Cue] = []
    for _, group in groupby(_runs(lanes.moments), key=lambda item: item[:2]):
        moments = [moment for _, _, moment in group]
        start, stop = moments[0].start_s, moments[-1].stop_s
        if moments[0].failed is not None:
            found.append(Cue(start, stop, ["no answer"]))
            continue
        lines = []
        for label, word in _words(moments[0]):
            shares = (moment.answers[label][0].probability * (moment.stop_s - moment.start_s) for moment in moments)
            percent = "" if word == NONE else f" {100 * sum(shares) / (stop - start):.0f}%"
            lines.append(f"{label}: {word}{percent}")
        found.append(Cue(start, stop, lines))
    return found


def _runs(moments: Iterable[Moment]) -> Iterator[tuple[int, list[tuple[Label, str]] | None, Moment]]:
    """Number the stretches without a gap, and name the words of each moment."""
    number, stop = 0, None
    for moment in moments:
        number += stop is not None and stop != moment.start_s
        stop = moment.stop_s
        yield number, None if moment.failed is not None else _words(moment), moment


def _words(moment: Moment) -> list[tuple[Label, str]]:
    """Return the best word of each label."""
    return [(label, NONE if label in moment.doubtful else best[0].name) for label, best in moment.answers.items()]


def srt(found: Iterable[Cue]) -> str:
    """Write cues as a SubRip file."""
    return "\n".join(
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.stop_s, ',')}\n{chr(10).join(cue.lines)}\n"
        for number, cue in enumerate(found, 1)
    )


def vtt(found: Iterable[Cue]) -> str:
    """Write cues as a WebVTT file."""
    blocks = (
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.stop_s, '.')}\n{escape(chr(10).join(cue.lines), quote=False)}\n"
        for cue in found
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
