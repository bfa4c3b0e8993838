"""Draw the panel below an annotated picture: best words and a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.predict.answers import ClipAnswers

SHOWN = 3
"""Words shown per label."""

_BACK, _TEXT, _FAINT, _CURSOR = (24, 24, 28), (240, 240, 240), (150, 150, 155), (255, 255, 255)
_CLIPS, _HERE, _NOTHING = ((70, 90, 120), (100, 125, 165)), (110, 200, 130), (45, 45, 50)
_LEAST_LINE, _LINES_A_WIDTH = 14, 36


class Panel:
    """Panel of one video, drawn for times that never decrease.

    Args:
        clips: the clips of the video, with their answers.
        duration_s: length of the video, seconds.
        width: of the panel, pixels.
    """

    def __init__(self, clips: Sequence[ClipAnswers], duration_s: float, width: int) -> None:
        self._duration_s = max(duration_s, 1e-3)
        self._width = width
        self._line = max(_LEAST_LINE, width // _LINES_A_WIDTH)
        spans = ((clip.start_s, duration_s if clip.stop_s is None else clip.stop_s, clip) for clip in clips)
        self._clips = sorted(spans, key=lambda span: span[:2])
        self._coming = 0
        self._open: list[int] = []
        self._timeline = self._bars()
        self._page = lru_cache(maxsize=1)(self._draw)

    def current(self, time_s: float) -> int | None:
        """Return the number of the clip to show at ``time_s``.

        Of the clips that contain this time, it is the one whose middle is nearest; None if there is none.
        """
        while self._coming < len(self._clips) and self._clips[self._coming][0] <= time_s:
            self._open.append(self._coming)
            self._coming += 1
        self._open = [number for number in self._open if self._clips[number][1] > time_s]
        return min(self._open, key=lambda number: abs(sum(self._clips[number][:2]) / 2 - time_s), default=None)

    def at(self, time_s: float) -> np.ndarray:
        """Draw the panel at ``time_s``.

        Returns:
            uint8 [h, width, 3] with h even.
        """
        page = self._page(self.current(time_s)).copy()
        cursor = min(self._width - 1, int(self._width * time_s / self._duration_s))
        page[-self._line :, max(0, cursor - 1) : cursor + 1] = _CURSOR
        return page

    def _draw(self, number: int | None) -> np.ndarray:
        line = self._line
        height = (SHOWN + 2) * line
        picture = Image.new("RGB", (self._width, height + height % 2), _BACK)
        if number is not None:
            self._write(ImageDraw.Draw(picture), *self._clips[number])
        page = np.array(picture)
        page[-line:] = self._timeline
        if number is not None:
            page[-line:, self._columns(number)] = _HERE
        return page

    def _write(self, draw: ImageDraw.ImageDraw, start: float, stop: float, clip: ClipAnswers) -> None:
        line, middle = self._line, self._width // 2
        font = ImageFont.load_default(size=line * 0.8)
        gap = line // 3
        name = f"{clip.name}  " if clip.name else ""
        draw.text((gap, 0), f"{name}{start:.1f} to {stop:.1f} s", _FAINT, font)
        if clip.failed is not None:
            draw.text((gap, line), f"no answer: {clip.failed}", _TEXT, font)
        for left, (label, answers) in zip((gap, middle + gap), clip.answers.items(), strict=False):
            lines = [f"{answer.name} {answer.probability:.2f}" for answer in answers[:SHOWN]]
            doubtful = label in clip.none_of_these
            for row, text in enumerate(["none of these", *lines][:SHOWN] if doubtful else lines, start=1):
                draw.text((left, row * line), text, _FAINT if doubtful and row > 1 else _TEXT, font)

    def _bars(self) -> np.ndarray:
        """Draw the timeline [line, width, 3] of all clips, neighbours in different shades."""
        bars = np.full((self._line, self._width, 3), _NOTHING, np.uint8)
        for number in range(len(self._clips)):
            bars[:, self._columns(number)] = _CLIPS[number % 2]
        return bars

    def _columns(self, number: int) -> slice:
        start, stop, _ = self._clips[number]
        first = min(self._width - 1, int(self._width * start / self._duration_s))
        return slice(first, max(first + 1, int(self._width * stop / self._duration_s)))
