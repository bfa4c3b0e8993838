"""Turn exceptions into exit codes.

A shell or a job array can tell from the code what happened.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from data_manifests.errors import XmicError
from xmic_cli.console import ANSWERED, emit, note
from xmic_cli.disk_errors import disk_error_of, in_words
from xmic_cli.starting import starting_note

BUG, INTERRUPTED = 1, 130


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def exit_code_of(call: Callable[[], int | None], as_json: bool = False) -> int:
    """Run a command and return its exit code.

    The text of an error goes to stderr, and with ``as_json`` also to stdout if no answer was printed there.

    SIGTERM and SIGUSR1, which a batch system sends before its time limit, stop the command like Ctrl-C. Finished shards
    are kept, and a training saves its state first.
    """
    for number in (signal.SIGTERM, signal.SIGUSR1):
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(number, _terminated)
    try:
        with starting_note():
            code = _until_the_end(call)
        with contextlib.suppress(BrokenPipeError):  # the reader of the pipe has closed it
            sys.stdout.flush()
        return code
    except XmicError as error:
        note(f"{'interrupted' if error.exit_code == INTERRUPTED else 'error'}: {error}")
        return answer_error(str(error), error.exit_code, as_json)
    except KeyboardInterrupt:
        text = "interrupted: everything finished so far is kept; the same command goes on from there."
        note(text)
        return answer_error(text, INTERRUPTED, as_json)
    except Exception as error:
        code = _disk_or_bug(error)
        return answer_error(f"{type(error).__name__}: {error}", code, as_json)


def answer_error(text: str, code: int, as_json: bool) -> int:
    """Print an error as the JSON answer.

    Nothing is printed where no JSON was asked for, or where an answer was given before.

    Returns:
        The exit code.
    """
    if as_json and not ANSWERED.is_set():
        with contextlib.suppress(OSError, ValueError):  # nothing reads it any more
            emit({"error": text, "exit_code": code}, True)
    return code


def _until_the_end(call: Callable[[], int | None]) -> int:
    """Run a command; where an error ends it, give the terminal back before anything is printed."""
    try:
        return call() or 0
    finally:
        if bars := sys.modules.get("xmic_cli.progress"):
            bars.stop_bars()


def _disk_or_bug(error: Exception) -> int:
    refused = disk_error_of(error)
    broken = _give_up_output() or _was_drawing(error)
    with contextlib.suppress(OSError):  # stderr may be on the same full disk
        if refused is not None:
            note(f"error: {in_words(refused, broken)}")
        elif isinstance(error, OSError):
            note(f"error: {error.strerror or error} ({error.filename})" if error.filename else f"error: {error}")
            traceback.print_exc()
        else:
            traceback.print_exc()
            note("error: this is a bug in xmic; the lines above say where. What was finished is kept.")
    return 3 if refused is not None or isinstance(error, OSError) else BUG


def _give_up_output() -> bool:
    """Tell whether standard output accepts nothing any more.

    What is left for it is then dropped; otherwise Python would fail when it ends.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
        return True
    return False


def _was_drawing(error: Exception) -> bool:
    """Tell whether rich was printing, as for --help.

    A long text does not stay in the buffer that could not be emptied.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_globals.get("__name__") == "rich.console"
