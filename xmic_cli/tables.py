"""Draw tables that fit the terminal: cells are folded, never cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_LONGEST_WORD = 16
"""Width in columns. Numbers and the words of a heading are shorter and stay whole; longer names may be folded."""


def draw(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table that fits the console.

    Where the columns do not fit side by side, each row becomes a block of ``heading: cell``.
    """
    widths = _fitted(columns, rows, console.width - 3 * len(columns) - 1)
    if widths is None:
        _draw_blocks(console, title, columns, rows)
        return
    drawn = Table(title=Text(title), title_justify="left")
    for name, width in zip(columns, widths, strict=True):
        drawn.add_column(Text(name), width=width, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def _fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Compute column widths that fit, narrowing the widest first.

    Returns:
        Width of each column; None where the columns cannot share the room.
    """
    widths, least = [], []
    for cells in zip(columns, *rows, strict=True):
        widths.append(max(1, *(cell_len(cell) for cell in cells)))
        words = [word for cell in cells for word in cell.split()]
        least.append(max([1, *(min(cell_len(word), _LONGEST_WORD) for word in words)]))
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max((place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def _draw_blocks(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print as many ``heading: cell`` per line as fit.

    Empty cells are left out.
    """
    console.print(Text(title, style="italic", overflow="fold"))
    for row in rows:
        lines: list[str] = []
        for name, cell in zip(columns, row, strict=True):
            pair = f"{name}: {cell}"
            if not cell:
                continue
            if lines and cell_len(f"  {lines[-1]}  {pair}") <= console.width:
                lines[-1] += f"  {pair}"
            else:
                lines.append(pair)
        for number, line in enumerate(lines):
            console.print(Padding(Text(line, overflow="fold"), (0, 0, 0, 2 if number else 0)))
