"""Sort result cards into tables of comparable results, one per protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, UsageError
from pipelines.engine.csv_text import csv_text
from pipelines.engine.digest import digest_json
from pipelines.engine.markdown import markdown_text
from pipelines.evaluate.result_card import CARD, CardProtocol, Number, ResultCard, read_card

BY = "noun top1"
_OF = ("noun", "verb", "action")
_SHOWN = tuple(f"{name} {what}" for name in _OF for what in ("top1", "shared_novel_hm"))


@dataclass(frozen=True)
class Board:
    """Results of one protocol, best first.

    Results without the number that they are sorted by come last.

    Attributes:
        sha256: of the protocol.
        by: the number that results are sorted by.
        columns: the numbers that are shown, the one that is sorted by first.
    """

    sha256: str
    protocol: CardProtocol
    by: str
    columns: Sequence[str]
    cards: Sequence[ResultCard]

    @property
    def title(self) -> str:
        """Title of the table: 'epic val, 9668 clips, protocol 0123456789ab'."""
        protocol = self.protocol
        return f"{protocol.dataset} {protocol.split}, {protocol.clips.count} clips, protocol {self.sha256[:12]}"

    @property
    def places(self) -> list[int | None]:
        """Place of each result, from 1.

        Equal results share a place; a result without the number has None.
        """
        values = [card.numbers[self.by].value if self.by in card.numbers else None for card in self.cards]
        return [None if value is None else values.index(value) + 1 for value in values]

    @property
    def head(self) -> list[str]:
        """Column heads of :meth:`rows`."""
        return ["#", "model", "trained on", *(f"{name} %" for name in self.columns), "clips", "notes"]

    def rows(self) -> list[list[str]]:
        """Format each result as a row of text.

        Numbers have their intervals, clips are evaluated ones of all, and a star marks missing clips.
        """
        return [
            [
                "–" if place is None else str(place),
                card.model.name,
                card.source.dataset if card.source else "not said",
                *(_shown(card.numbers.get(name)) for name in self.columns),
                ", ".join(_covered(name, *card.coverage[name]) for name in _OF if name in card.coverage),
                "; ".join(card.warnings),
            ]
            for place, card in zip(self.places, self.cards, strict=True)
        ]


@dataclass(frozen=True)
class Boards:
    """All tables of a folder, and the errors of unreadable cards."""

    boards: Sequence[Board]
    skipped: Sequence[str]


def read_boards(folder: Path, by: str = BY) -> Boards:
    """Read the result cards below a folder into tables.

    Every ``card.json`` and ``*.card.json`` is read, at any depth. The same card twice counts once.

    Args:
        folder: where the cards are.
        by: the number to sort by, highest first.

    Raises:
        InputError: there is no such folder, or no card in it.
        UsageError: no card has such a number.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with result cards (card.json or *.card.json).")
    files = sorted(file for file in folder.rglob(f"*{CARD}") if file.name == CARD or file.name.endswith(f".{CARD}"))
    if not files:
        raise InputError(f"{folder}: no result card; expected card.json or *.card.json. xmic score makes one.")
    found: dict[str, ResultCard] = {}
    skipped = []
    for file in files:
        try:
            card = read_card(file)
        except InputError as error:
            skipped.append(str(error))
        else:
            found.setdefault(digest_json(card.model_dump(mode="json")), card)
    known = sorted({name for card in found.values() for name in card.numbers})
    if found and by not in known:
        raise UsageError(f"--by {by!r}: no card has this number; expected one of {', '.join(known)}.")
    groups: dict[str, list[ResultCard]] = {}
    for card in found.values():
        groups.setdefault(card.protocol_sha256, []).append(card)
    boards = [_board(sha256, cards, by) for sha256, cards in groups.items()]
    boards.sort(key=lambda board: (board.protocol.dataset, board.protocol.split, board.sha256))
    return Boards(boards, skipped)


def _board(sha256: str, cards: Sequence[ResultCard], by: str) -> Board:
    names = {name for card in cards for name in card.numbers}
    columns = list(dict.fromkeys(name for name in (by, *_SHOWN) if name in names))
    ordered = sorted(cards, key=lambda card: (*_place(card.numbers.get(by)), card.model.name))
    return Board(sha256, cards[0].protocol, by, columns, ordered)


def _place(number: Number | None) -> tuple[bool, float]:
    return number is None, 0.0 if number is None else -number.value


def boards_json(found: Boards) -> dict[str, Any]:
    """Return the tables as plain values for JSON.

    'boards' has each protocol with its whole cards in order, 'skipped' the errors of unreadable cards.
    """
    boards = [
        {
            "protocol_sha256": board.sha256,
            "protocol": board.protocol.model_dump(mode="json"),
            "columns": list(board.columns),
            "cards": [card.model_dump(mode="json") for card in board.cards],
        }
        for board in found.boards
    ]
    return {"boards": boards, "skipped": list(found.skipped)}


def boards_csv(found: Boards) -> str:
    """Format the tables as CSV, one line per number in full precision.

    The ends of the interval are empty where there is none.
    """
    head = ["protocol_sha256", "dataset", "split", "place", "model", "method", "trained_on", "number"]
    head += ["percent", "low", "high", "n_evaluated", "n_official", "warnings", "predictions_sha256"]
    return csv_text(head, (line for board in found.boards for line in _lines(board)))


def _lines(board: Board) -> list[list[Any]]:
    found = []
    for place, card in zip(board.places, board.cards, strict=True):
        source = card.source.dataset if card.source else None
        of = [board.sha256, board.protocol.dataset, board.protocol.split, place]
        of += [card.model.name, card.model.method, source]
        for name, number in card.numbers.items():
            low, high = number.interval or (None, None)
            sizes = [number.value, low, high, number.n_evaluated, number.n_official]
            found.append([*of, name, *sizes, "; ".join(card.warnings), card.predictions.sha256])
    return found


def boards_markdown(found: Boards) -> str:
    """Format a Markdown heading and table per protocol.

    Text from the cards is escaped.
    """
    texts = []
    for board in found.boards:
        rows = [board.head, ["---"] * len(board.head), *board.rows()]
        lines = [_markdown_row(row, escaped=number != 1) for number, row in enumerate(rows)]
        texts.append("\n".join([f"## {markdown_text(board.title)}", "", *lines, ""]))
    return "\n".join(texts)


def _markdown_row(cells: Sequence[str], *, escaped: bool) -> str:
    return f"| {' | '.join(markdown_text(cell) if escaped else cell for cell in cells)} |"


def _shown(number: Number | None) -> str:
    if number is None:
        return "–"
    star = "*" * (number.n_evaluated < number.n_official)
    if not number.interval:
        return f"{number.value:.2f}{star}"
    notes = ["Wilson"] * (number.interval_kind == "wilson") + ["few"] * number.few
    said = f" ({', '.join(notes)})" if notes else ""
    return f"{number.value:.2f}{star} [{number.interval[0]:.1f}, {number.interval[1]:.1f}]{said}"


def _covered(name: str, evaluated: int, official: int) -> str:
    return f"{name} {evaluated}/{official}" + "*" * (evaluated < official)
