from __future__ import annotations

import numpy as np

from pipelines.predict.fonts import font
from pipelines.predict.lettering import chip, fitting, paste, wrapped


def test_a_long_text_ends_in_an_ellipsis_within_its_width() -> None:
    assert fitting("chopping board", 20, 1000) == "chopping board"
    short = fitting("chopping board", 20, 80)
    assert short.endswith("…")
    assert font(short, 20).getlength(short) <= 80
    assert fitting("chopping board", 20, 1) == ""


def test_a_reason_is_broken_between_words() -> None:
    lines = wrapped("7 of 16 instants are past the end", 20, 120)
    assert " ".join(lines) == "7 of 16 instants are past the end"
    assert all(font(line, 20).getlength(line) <= 120 for line in lines)


def test_a_chip_at_the_edge_is_moved_into_the_page() -> None:
    page = np.zeros((40, 60, 3), np.uint8)
    label = chip("hand", 12, (0, 0, 0), (250, 0, 0))
    paste(page, label, 55, -10)
    assert (page[0, -1] == (250, 0, 0)).all()
    assert (page[:, :, 0] == 250).any(axis=0).sum() == label.shape[1]
