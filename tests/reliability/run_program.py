"""Run a program of this folder in a process of its own: it forks, which a test process with threads must not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def run_program(name: str, *arguments: str, folder: Path) -> str:
    """Run it with its files below ``folder``; return what it printed.

    Raises:
        AssertionError: it found something wrong.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"tests.reliability.{name}", *arguments],
        cwd=_ROOT,
        env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout
