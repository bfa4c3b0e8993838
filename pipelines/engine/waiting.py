"""Set how PyTorch's threads wait, before PyTorch is loaded."""

from __future__ import annotations

import os

USERS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables by which a user sets the wait; where one of them is set, nothing is changed."""

SPINS = "1000"
"""Turns that a thread of GNU's OpenMP spins before it sleeps; its default is 300,000, some milliseconds.

Where another program has the core of one thread, the other threads spin until that thread is done. No turns at all
(OMP_WAIT_POLICY=PASSIVE) are slower on a quiet machine, where the wait is mostly short: ``benchmarks/beside.py``.
"""


def wait_briefly() -> None:
    """Let waiting threads of PyTorch sleep soon.

    It takes effect in this process if PyTorch is not loaded yet, and in the processes it starts. No result depends on
    it. Settings of the user in the environment are kept.
    """
    if not any(name in os.environ for name in USERS):
        os.environ["GOMP_SPINCOUNT"] = SPINS
