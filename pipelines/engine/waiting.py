"""How threads of PyTorch wait for each other, decided before it is loaded."""

from __future__ import annotations

import os

USERS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables by which a user decides it; each of them leaves all to the user."""

SPINS = "1000"
"""Turns that a thread of GNU's OpenMP spins before it sleeps; by itself it takes 300,000, some milliseconds.

Where another program has the core of one thread, the others spin through the time that one needs. No turns at all
(OMP_WAIT_POLICY=PASSIVE) are slower on a quiet machine, where the wait is mostly short: ``benchmarks/beside.py``.
"""


def wait_briefly() -> None:
    """Let threads that wait sleep soon, in this process if PyTorch is not loaded yet, and in those it starts.

    No result depends on it. What the user has set in the environment stays.
    """
    if not any(name in os.environ for name in USERS):
        os.environ["GOMP_SPINCOUNT"] = SPINS
