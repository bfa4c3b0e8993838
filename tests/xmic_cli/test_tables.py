from __future__ import annotations

import io

import pytest
from rich.console import Console

from xmic_cli.tables import draw

STATUS = (
    "stage dataset split what done stale missing damaged incomplete rows".split() + ["failed rows"],
    [
        ["detect-hands", "epic", "train", "s16c3-256-q95/yolo-hands-4f2a9c", *"3 0 0 0 1 67217".split(), "12 no frame"],
        ["embed", "ego4d", "val", "open-clip-vit-b-16-openai-0123456789/hand-88aa", *"3 0 0 0 0 1".split(), ""],
    ],
)
EVALUATION = (
    ["dataset", "split", "label", "top-1 %", "top-5 %", "class mean %", "any noun %", "ECE %", "hm %", "clips"],
    [
        [
            "ego4d",
            "val",
            "noun",
            "15.00 [5.0, 26.1] (few)",
            "100.00",
            "12.00",
            "–",
            "3.10",
            "13.64 [4.0, 19.9]",
            "16/20*",
        ]
    ],
)
METHODS = (
    ["method", "needs", "what"],
    [["efficient-prompt", "text tower", "Learned vectors around the class names, 台所 and a temporal transformer"]],
)


def _shown(width: int, columns: list[str], rows: list[list[str]]) -> list[str]:
    out = io.StringIO()
    draw(Console(file=out, width=width, force_terminal=False), "a title of the table", columns, rows)
    return out.getvalue().splitlines()


def _cells(lines: list[str], columns: int) -> list[list[str]]:
    """The rows of a drawn table again, the parts of a folded cell joined without their spaces."""
    rows: list[list[str]] = [[""] * columns]
    for line in lines:
        if line.startswith("│"):
            parts = [part.replace(" ", "") for part in line.strip("│").split("│")]
            rows[-1] = [whole + part for whole, part in zip(rows[-1], parts, strict=True)]
    return rows


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize(("columns", "rows"), [STATUS, EVALUATION, METHODS], ids=["status", "evaluation", "methods"])
def test_no_text_of_a_cell_is_lost_at_any_width(width: int, columns: list[str], rows: list[list[str]]) -> None:
    lines = _shown(width, columns, rows)
    assert max(len(line) for line in lines) <= width
    assert "…" not in "".join(lines)
    for row in rows:  # each by itself, so that the rows' order in the output does not hide a loss
        shown = _shown(width, columns, [row])
        if any(line.startswith("│") for line in shown):
            assert _cells(shown, len(columns)) == [[cell.replace(" ", "") for cell in row]]
        else:
            pairs = "".join(f"{name}:{cell}" for name, cell in zip(columns, row, strict=True) if cell)
            text = "".join("".join(shown[1:]).split())
            assert text == pairs.replace(" ", "")


def test_a_number_is_never_folded() -> None:
    for width in (40, 80, 100):
        text = "\n".join(_shown(width, *EVALUATION))
        for number in ("15.00", "100.00", "13.64", "16/20*"):
            assert number in text


def test_a_row_that_does_not_fit_is_a_block_that_begins_at_the_margin() -> None:
    lines = _shown(80, *STATUS)
    assert [line[:6] for line in lines if not line.startswith(" ")] == ["a titl", "stage:", "stage:"]
    assert "incomplete: 1" in "".join(lines)
    assert sum("failed rows" in line for line in lines) == 1, "an empty cell says nothing"
