"""Make a contact sheet of a video, one picture per answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from data_manifests.schema import Label
from data_manifests.times import clock_of
from pipelines.predict.lanes import Lanes, Moment, Span
from pipelines.predict.lettering import BACK, FAINT, GREY_TEXT, TEXT, write
from pipelines.predict.outline import outline
from pipelines.predict.seen import Seen
from pipelines.predict.subtitles import Cue, cues

MOST = 24
"""Most pictures of a sheet; of more answers, those at even distances."""

_LONG_SIDE, _EM, _GAP = 380, 19, 14


class ContactSheet:
    """Contact sheet of one video, filled while its frames are drawn.

    Args:
        lanes: the answers in time.
        truth: label → true labels in time, where they are known.
    """

    def __init__(self, lanes: Lanes, truth: Mapping[Label, Sequence[Span]]) -> None:
        self._lanes, self._truth = lanes, truth
        found = cues(lanes)
        chosen = np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int)
        self._cues = [found[number] for number in chosen.tolist()]
        self.pictures: list[np.ndarray] = []

    def offer(self, time_s: float, picture: np.ndarray, seen: Seen | None) -> None:
        """Take a frame if it shows the middle of an answer.

        Args:
            time_s: of the frame, seconds; must not decrease.
            picture: uint8 [H, W, 3].
            seen: what the model saw, to be drawn; None for nothing.
        """
        while len(self.pictures) < len(self._cues):
            cue = self._cues[len(self.pictures)]
            if time_s < (cue.start_s + cue.stop_s) / 2:
                return
            small = Image.fromarray(picture)
            small.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
            drawn = np.array(small)
            if seen is not None:
                outline(drawn, seen)
            self.pictures.append(drawn)

    def page(self) -> np.ndarray:
        """Draw the sheet; needs a picture.

        Returns:
            uint8 [H, W, 3].
        """
        high, wide = self.pictures[0].shape[:2]
        cell_width = max(wide, 14 * _EM)
        rows_of_text = 1 + len(self._lanes.labels) + any(self._truth.values())
        cell_height = high + round((rows_of_text * 1.3 + 0.4) * _EM)
        columns = max(1, min(len(self.pictures), round(math.sqrt(len(self.pictures) * 1.4 * cell_height / cell_width))))
        rows = math.ceil(len(self.pictures) / columns)
        size = (columns * (cell_width + _GAP) + _GAP, rows * (cell_height + _GAP) + _GAP)
        page = Image.new("RGB", size, BACK)
        draw = ImageDraw.Draw(page)
        for number, (picture, cue) in enumerate(zip(self.pictures, self._cues, strict=False)):
            left = _GAP + number % columns * (cell_width + _GAP)
            top = _GAP + number // columns * (cell_height + _GAP)
            page.paste(Image.fromarray(picture), (left, top))
            self._write(draw, cue, left, top + high + 0.2 * _EM, cell_width)
        return np.array(page)

    def _write(self, draw: ImageDraw.ImageDraw, cue: Cue, left: float, top: float, width: float) -> None:
        middle = (cue.start_s + cue.stop_s) / 2
        number = self._lanes.at(middle)
        moment = None if number is None else self._lanes.moments[number]
        names = f"  {', '.join(moment.names)}" if moment and moment.names else ""
        times = f"{clock_of(cue.start_s)} to {clock_of(cue.stop_s)}{names}"
        write(draw, (left, top + 0.65 * _EM), times, 0.8 * _EM, FAINT, width)
        lines = _lines(cue, moment)
        true = [of.word for spans in self._truth.values() for of in spans if of.start_s <= middle < of.stop_s]
        if true:
            lines.append((f"truth: {', '.join(word for word in true if word)}", True))
        for row, (line, grey) in enumerate(lines, 1):
            write(draw, (left, top + (1.3 * row + 0.65) * _EM), line, _EM, GREY_TEXT if grey else TEXT, width)


def _lines(cue: Cue, moment: Moment | None) -> list[tuple[str, bool]]:
    """Return each line of a cue, and whether it is grey."""
    doubtful = [label in moment.doubtful for label in moment.answers] if moment is not None else []
    return [(line, doubtful[place] if place < len(doubtful) else True) for place, line in enumerate(cue.lines)]
