from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from data_manifests.errors import (
    InputError,
    Interrupted,
    MissingUpstream,
    TooManyFailures,
    UsageError,
    XmicError,
)
from pipelines.engine.locks import LockedElsewhere
from pipelines.engine.shards import DamagedShard
from xmic_cli.errors import exit_code_of

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def _raising(error: BaseException) -> Callable[[], NoReturn]:
    def call() -> NoReturn:
        raise error

    return call


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (2, 2)])
def test_a_command_that_ends_well_gives_its_code(
    capsys: pytest.CaptureFixture[str], returned: int | None, code: int
) -> None:
    assert exit_code_of(lambda: returned) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError, 2),
        (InputError, 3),
        (LockedElsewhere, 3),
        (DamagedShard, 3),
        (XmicError, 3),
        (TooManyFailures, 4),
        (MissingUpstream, 5),
    ],
)
def test_every_error_has_its_code_and_its_text_alone_on_stderr(
    capsys: pytest.CaptureFixture[str], error: type[XmicError], code: int
) -> None:
    assert exit_code_of(_raising(error("what was found [in] line 3"))) == code
    assert capsys.readouterr() == ("", "error: what was found [in] line 3\n")


def test_an_interruption_whose_state_is_saved_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(_raising(Interrupted("saved after epoch 3"))) == 130
    assert capsys.readouterr() == ("", "interrupted: saved after epoch 3\n")


def test_ctrl_c_says_that_the_same_command_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(_raising(KeyboardInterrupt())) == 130
    text = "interrupted: everything finished so far is kept; the same command goes on from there.\n"
    assert capsys.readouterr() == ("", text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_signals_of_a_batch_system_stop_a_command_like_ctrl_c(
    capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    def call() -> None:
        os.kill(os.getpid(), number)
        pytest.fail("the signal did not stop the command")

    assert exit_code_of(call) == 130
    assert capsys.readouterr().err.startswith("interrupted: ")


def test_a_command_may_run_in_a_thread_where_signals_can_not_be_set() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(exit_code_of(_raising(UsageError("x")))))
    thread.start()
    thread.join()
    assert codes == [2]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/data/a.csv"), "error: /data/a.csv: no permission. Give"),
        (OSError(28, "No space left on device"), "error: no space left on the disk. Free some"),
    ],
)
def test_a_disk_that_refuses_is_bad_input_in_one_line(
    capsys: pytest.CaptureFixture[str], error: OSError, line: str
) -> None:
    assert exit_code_of(_raising(error)) == 3
    (only,) = capsys.readouterr().err.splitlines()
    assert only.startswith(line)


def test_what_else_the_system_refuses_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(_raising(OSError(5, "Input/output error", "/data/a.csv"))) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: Input/output error (/data/a.csv)"
    assert lines[1].startswith("Traceback")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["methods"]])
def test_output_that_takes_nothing_is_one_line_and_no_success(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "xmic_cli", *arguments], cwd=_ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3
    (only,) = done.stderr.splitlines()
    assert only.startswith("error: standard output cannot be written to (No space left on device).")


def test_a_bug_shows_its_traceback_and_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: 1 // 0) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("Traceback (most recent call last):")
    assert "ZeroDivisionError" in output.err
    last = "error: this is a bug in xmic; the lines above say where. What was finished is kept."
    assert output.err.splitlines()[-1] == last
