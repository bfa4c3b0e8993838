"""Draw the panel below an annotated picture.

From top to bottom: the time, the crop that the model saw beside the best words as bars, a lane of segments for nouns
and one for verbs, and a scale of seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from data_manifests.schema import Label
from data_manifests.times import clock_of
from pipelines.predict.lanes import Lanes, Moment, Span, Word
from pipelines.predict.lettering import (
    BACK,
    FAINT,
    GREY,
    GREY_TEXT,
    PALETTE,
    TEXT,
    Colour,
    chip,
    fitting,
    paste,
    wrapped,
    write,
)
from pipelines.predict.seen import Seen

_TRACK, _LINE, _CURSOR = (40, 44, 53), (60, 65, 76), (255, 255, 255)
_SMALL = 0.78
_BARS = 3
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)


class Panel:
    """Panel of one video.

    Args:
        lanes: the answers in time.
        truth: label → true labels in time, where they are known.
        size: width and height of the picture above the panel, pixels.
        note: a short text for the upper right corner.
    """

    def __init__(self, lanes: Lanes, truth: Mapping[Label, Sequence[Span]], size: tuple[int, int], note: str) -> None:
        self._lanes, self._note = lanes, note
        self._width, height = size
        em = min(max(min(0.04 * height, self._width / 24), 9), 44)
        self._em, self._pad = em, round(0.5 * em)
        self._spans = {label: lanes.segments(label) for label in lanes.labels}
        self._truth = {label: truth[label] for label in lanes.labels if truth.get(label)}
        self._colours = {label: self._colours_of(label, 3 * number) for number, label in enumerate(lanes.labels)}
        self._body, self._lane_top = round(1.7 * em), round(1.7 * em + 5.7 * em)
        self._duration = max(lanes.duration_s, 1e-3)
        self._roomy = self._width > 16 * em
        self._left = round(3.4 * em) if self._roomy else self._pad
        self._right = self._width - self._pad
        self._timeline = self._draw_timeline()
        self._page = lru_cache(maxsize=2)(self._draw)
        self._thumbnail = lru_cache(maxsize=1)(self._draw_thumbnail)

    @property
    def height(self) -> int:
        """Height of the panel, pixels; even."""
        height = self._lane_top + self._timeline.shape[0]
        return height + height % 2

    def at(self, time_s: float, seen: Seen | None) -> np.ndarray:
        """Draw the panel at a time.

        Args:
            time_s: seconds.
            seen: what the model saw last; None where it looked at nothing.

        Returns:
            uint8 [height, width, 3].
        """
        number = self._lanes.at(time_s)
        page = self._page(number).copy()
        clock = chip(clock_of(time_s), self._em, TEXT, BACK)
        paste(page, clock, self._pad - round(self._em / 4), round(0.2 * self._em))
        if number is not None and seen is not None and self._roomy:
            paste(page, self._thumbnail(seen), self._pad, self._body)
        cursor = round(self._x(time_s))
        page[self._lane_top : page.shape[0] - round(1.1 * self._em), cursor : cursor + max(2, round(self._em / 9))] = (
            _CURSOR
        )
        return page

    def word_colour(self, label: Label, word: str) -> Colour:
        """Return the colour of a word in its lane."""
        return self._colours[label].get(word, GREY)

    def _colours_of(self, label: Label, first: int) -> dict[str, Colour]:
        """Give each word of a lane a colour, in the order in which they come; a true word has its word's."""
        both = [*self._spans[label], *self._truth.get(label, ())]
        words = dict.fromkeys(span.word for span in both if span.word is not None and not span.doubtful)
        return {word: PALETTE[(first + number) % len(PALETTE)] for number, word in enumerate(words)}

    def _x(self, time_s: float) -> float:
        share = min(max(time_s / self._duration, 0.0), 1.0)
        return self._left + share * (self._right - self._left - 1)

    def _draw(self, number: int | None) -> np.ndarray:
        picture = Image.new("RGB", (self._width, self.height), BACK)
        draw = ImageDraw.Draw(picture)
        middle, small = self._body / 2, self._em * _SMALL
        write(draw, (self._right, middle), self._note, small, FAINT, 0.6 * self._width, "rm")
        if number is not None:
            moment = self._lanes.moments[number]
            write(draw, (self._pad + 5 * self._em, middle), ", ".join(moment.names), small, FAINT, 0.35 * self._width)
            self._draw_words(draw, moment)
        page = np.array(picture)
        page[self._lane_top : self._lane_top + self._timeline.shape[0]] = self._timeline
        return page

    def _draw_words(self, draw: ImageDraw.ImageDraw, moment: Moment) -> None:
        left = self._pad + (round(5.9 * self._em) if self._roomy else 0)
        if moment.failed is not None:
            room, size = self._right - left, self._em * _SMALL
            write(draw, (left, self._body + 0.7 * self._em), "no answer", self._em, TEXT, room)
            for row, line in enumerate(wrapped(moment.failed, size, room)[:3]):
                write(draw, (left, self._body + (2.1 + 1.15 * row) * self._em), line, size, FAINT, room)
            return
        gap = round(0.8 * self._em)
        columns = max(1, len(moment.answers))
        width = max((self._right - left - gap * (columns - 1)) / columns, 2.0)
        for place, (label, answers) in enumerate(moment.answers.items()):
            self._draw_bars(draw, left + place * (width + gap), width, label, answers, label in moment.doubtful)

    def _draw_bars(
        self, draw: ImageDraw.ImageDraw, left: float, width: float, label: Label, best: Sequence[Word], doubtful: bool
    ) -> None:
        em, top = self._em, self._body
        head = f"{label}: none of these" if doubtful else label
        write(draw, (left, top + 0.5 * em), head, em * _SMALL, FAINT, width)
        for row, word in enumerate(best[:_BARS]):
            upper = top + (1.2 + 1.48 * row) * em
            box = (left, upper, left + width - 1, upper + 1.28 * em)
            draw.rectangle(box, fill=_TRACK)
            colour = GREY if doubtful else self.word_colour(label, word.name)
            if word.probability * width >= 1:
                draw.rectangle((left, upper, left + word.probability * width - 1, box[3]), fill=colour)
            ink = GREY_TEXT if doubtful else TEXT
            middle = (upper + box[3]) / 2
            percent = f"{100 * word.probability:.0f}%"
            write(draw, (left + width - 0.4 * em, middle), percent, em * _SMALL, ink, anchor="rm")
            write(draw, (left + 0.4 * em, middle), word.name, em, ink, width - 3.1 * em)

    def _draw_timeline(self) -> np.ndarray:
        em = self._em
        rows = [
            (label, name, spans, height)
            for label in self._lanes.labels
            for name, spans, height in (
                *((("truth", self._truth[label], 1.05),) if label in self._truth else ()),
                (str(label), self._spans[label], 1.4),
            )
        ]
        height = round(sum(row[3] for row in rows) * em + 0.3 * em * len(self._lanes.labels) + 1.25 * em)
        picture = Image.new("RGB", (self._width, height), BACK)
        draw = ImageDraw.Draw(picture)
        top = 0.0
        for label, name, spans, rise in rows:
            low = top + rise * em
            if self._roomy:
                write(draw, (self._pad, (top + low) / 2), name, em * _SMALL, FAINT, self._left - self._pad)
            draw.rectangle((self._left, top, self._right - 1, low - 2), fill=_TRACK)
            for span in spans:
                self._draw_span(draw, span, label, top, low - 2)
            top = low + (0.3 * em if name == label else 0)
        self._draw_scale(draw, top, height)
        return np.array(picture)

    def _draw_span(self, draw: ImageDraw.ImageDraw, span: Span, label: Label, top: float, low: float) -> None:
        left, right = self._x(span.start_s), self._x(span.stop_s)
        right = max(left + 1, right - max(2, round(self._em / 8)))
        grey = span.doubtful or span.word is None
        draw.rectangle((left, top, right, low), fill=GREY if grey else self.word_colour(label, span.word or ""))
        text = span.word if span.word is not None else "-"
        size = min(self._em * 0.92, (low - top) * 0.82)
        room = right - left - 0.5 * self._em
        # One letter and '…' would say nothing.
        fits = fitting(text, size, room)
        if fits == text or len(fits) > 2:
            write(draw, (left + 0.25 * self._em, (top + low) / 2), text, size, GREY_TEXT if grey else TEXT, room)

    def _draw_scale(self, draw: ImageDraw.ImageDraw, top: float, height: int) -> None:
        em = self._em
        most = max(1, int((self._right - self._left) / (5 * em)))
        step = next((step for step in _STEPS if self._duration / step <= most), self._duration / most)
        digits = 0 if step >= 1 else 1
        for number in range(int(self._duration / step + 1e-6) + 1):
            x = self._x(number * step)
            draw.line((x, top, x, top + 0.25 * em), fill=_LINE, width=1)
            text = clock_of(number * step, digits)
            # The last label would be cut off at the right edge.
            anchor = "lm" if number == 0 else "rm" if x > self._right - 1.5 * em else "mm"
            write(draw, (x, (top + 0.25 * em + height) / 2), text, em * _SMALL * 0.9, FAINT, anchor=anchor)

    def _draw_thumbnail(self, seen: Seen) -> np.ndarray:
        """Draw what the model saw as a square with a caption."""
        side = round(5.2 * self._em)
        picture = Image.fromarray(seen.picture)
        scale = side / max(picture.size)
        shape = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        square = Image.new("RGB", (side, side), _TRACK)
        square.paste(picture.resize(shape, Image.Resampling.LANCZOS), ((side - shape[0]) // 2, (side - shape[1]) // 2))
        page = np.array(square)
        size = self._em * 0.68
        paste(page, chip(fitting(seen.caption, size, side - 0.5 * self._em), size, TEXT, BACK), 0, side)
        return page
