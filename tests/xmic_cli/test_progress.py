"""What a person sees of the progress, on terminals of 80 and of 40 columns and in a log."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from rich.console import Console

from xmic_cli import progress as bars
from xmic_cli.progress import BarProgress, LineProgress, stop_bars

_Capture = pytest.CaptureFixture[str]


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_once_a_tenth_with_the_time_elapsed_and_on_stderr(capsys: _Capture) -> None:
    clock = _Clock()
    progress = LineProgress(clock)
    progress.start("decode epic", 100, "frames")
    for second in range(1, 101):
        clock.now = 2 * second
        progress.advance()
    progress.note("one video is damaged")
    progress.finish()
    output = capsys.readouterr()
    lines = output.err.splitlines()
    assert output.out == ""
    assert len(lines) == 12
    assert lines[0] == "decode epic: 10 of 100 frames, 0:20, 30.0/min, 3:00 left"
    assert lines[9:] == [
        "decode epic: 100 of 100 frames, 3:20, 30.0/min",
        "one video is damaged",
        "decode epic: 100 frames in 3:20, 30.0/min",
    ]


def test_slow_work_has_a_line_a_minute_and_quick_work_one_a_second(capsys: _Capture) -> None:
    clock = _Clock()
    progress = LineProgress(clock)
    progress.start("decode epic", 10_000, "frames")
    for second in range(1, 122):
        clock.now = second
        progress.advance()
    assert len(capsys.readouterr().err.splitlines()) == 2
    progress.start("embed epic", 100, "frames")
    for _ in range(100):
        clock.now += 0.02
        progress.advance()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_work_that_is_over_at_once_has_no_line(capsys: _Capture) -> None:
    clock = _Clock()
    progress = LineProgress(clock)
    for total in (0, 1, 5):
        progress.start("prepare epic", total, "shards")
        progress.advance(total)
        progress.finish()
    assert capsys.readouterr() == ("", "")


def test_the_state_is_said_with_the_next_line(capsys: _Capture) -> None:
    clock = _Clock()
    progress = LineProgress(clock)
    progress.start("train noun", 20, "steps")
    progress.state("epoch 1 of 2: loss 3.1")
    progress.state("epoch 2 of 2: loss 2.5")
    clock.now = 10
    progress.advance(10)
    progress.start("evaluate", 10, "clips")
    clock.now = 20
    progress.advance(5)
    assert capsys.readouterr().err.splitlines() == [
        "train noun: 10 of 20 steps, 0:10, 1.0/s, 0:10 left (epoch 2 of 2: loss 2.5)",
        "evaluate: 5 of 10 clips, 0:10, 30.0/min, 0:10 left",
    ]


def _drawn(progress: BarProgress, width: int) -> list[str]:
    """The rows that the bar has now on a terminal of so many columns."""
    progress._console = Console(width=width, file=io.StringIO())
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    with console.capture() as captured:
        console.print(progress._shown())
    return captured.get().splitlines()


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[BarProgress]:
    clock = _Clock()
    monkeypatch.setattr(bars.Meter.__init__, "__defaults__", ("", 0, clock))
    progress = BarProgress()
    progress.start("decode epic [b]train[/b]", 67_217, "frames")
    clock.now = 21
    progress.advance(1200)
    progress.state("epoch 3 of 15: loss [red]3.1234[/red], train accuracy 12.34 %, learning rate 0.0005")
    yield progress
    stop_bars()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_bar_shows_count_rate_and_time_left_whatever_the_width(at_work: BarProgress, width: int) -> None:
    rows = _drawn(at_work, width)
    assert max(len(row) for row in rows) <= width
    text = "\n".join(rows)
    assert re.search(r"1,200/67,217 frames|1.2k/67k frames", text)
    assert "57/s" in text
    assert "19:15" in text
    assert "decode epic [b]tra" in text
    assert "epoch 3 of 15: loss [red]3" in text
    assert ("──" in text) is (width >= 60)
    assert len(rows) == (3 if width < 60 else 2)


def test_a_bar_writes_to_stderr_only_and_takes_notes_as_they_are(capsys: _Capture) -> None:
    progress = BarProgress()
    progress.advance()  # before the start: nothing to move
    progress.start("decode", 2)
    progress.advance(2)
    progress.note("[bold]video[/bold] 3\x1b[2J")
    progress.finish()
    output = capsys.readouterr()
    assert output.out == ""
    assert "[bold]video[/bold] 3\\x1b[2J" in output.err
    assert "2/2" not in output.err, "work that is over at once"


def test_a_bar_leaves_one_line_and_an_error_gives_the_terminal_back(
    capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock()
    monkeypatch.setattr(bars.Meter.__init__, "__defaults__", ("", 0, clock))
    progress = BarProgress()
    progress.start("decode", 4, "frames")
    clock.now = 2
    progress.advance(4)
    progress.finish()
    assert capsys.readouterr().err.strip() == "decode: 4 frames in 0:02, 2.0/s"
    progress.start("embed", 4, "frames")
    assert [progress] == bars._ACTIVE
    stop_bars()
    assert bars._ACTIVE == []
