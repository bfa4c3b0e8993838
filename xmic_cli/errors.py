"""From exceptions to exit codes, so that a shell or a job array can tell what happened."""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from data_manifests.errors import XmicError
from xmic_cli.console import note

BUG, INTERRUPTED = 1, 130


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def exit_code_of(call: Callable[[], int | None]) -> int:
    """Run the command and turn what happens into an exit code, the error's text on stderr.

    SIGTERM and SIGUSR1 (what a batch system sends before its time limit) stop the command like Ctrl-C:
    finished shards stay, a training saves its state first.
    """
    for number in (signal.SIGTERM, signal.SIGUSR1):
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(number, _terminated)
    try:
        return call() or 0
    except XmicError as error:
        note(f"{'interrupted' if error.exit_code == INTERRUPTED else 'error'}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        note("interrupted: everything finished so far is kept; the same command goes on from there.")
        return INTERRUPTED
    except OSError as error:
        note(f"error: {error.strerror or error} ({error.filename})" if error.filename else f"error: {error}")
        traceback.print_exc()
        return 3
    except Exception:
        traceback.print_exc()
        note("error: this is a bug in xmic; the lines above say where. What was finished is kept.")
        return BUG
