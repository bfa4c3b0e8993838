from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.engine import memory


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    memory._of_glibc.cache_clear()
    yield
    memory._of_glibc.cache_clear()


def library(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(**functions))


def test_the_c_library_is_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    library(monkeypatch, malloc_trim=asked.append)
    memory.release_memory()
    memory.release_memory()
    assert asked == [0, 0]


def test_a_c_library_that_can_not_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, mallopt=lambda *_: pytest.fail("another library's mallopt has other numbers"))
    memory.release_memory()
    memory.keep_memory()


def test_the_one_of_this_machine_is_no_error() -> None:
    memory.release_memory()


@pytest.mark.parametrize(
    ("users", "kept"),
    [
        ({}, True),
        ({"MALLOC_TRIM_THRESHOLD_": "9"}, False),
        ({"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=9"}, False),
    ],
)
def test_memory_is_kept_unless_the_user_says_how(
    monkeypatch: pytest.MonkeyPatch, users: dict[str, str], kept: bool
) -> None:
    asked: list[tuple[int, int]] = []
    library(monkeypatch, malloc_trim=None, mallopt=lambda *pair: asked.append(pair))
    for name in (*memory.USERS, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in users.items():
        monkeypatch.setenv(name, value)
    memory.keep_memory()
    assert bool(asked) == kept


_TWICE = """
import ctypes, resource, sys
import numpy as np
from pipelines.engine.memory import keep_memory, release_memory

if sys.argv[1] == "keep":
    keep_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    several = [np.ones(size, np.uint8) for size in (40 << 20, 20 << 20, 30 << 20)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
again = faults()
release_memory()
print(again, faults())
"""


@pytest.mark.skipif(memory._of_glibc("malloc_trim") is None, reason="not glibc")
def test_memory_that_is_kept_is_not_got_anew_until_it_is_released() -> None:
    def run(way: str) -> list[int]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
        done = subprocess.run(
            [sys.executable, "-c", _TWICE, way], capture_output=True, text=True, check=True, env=clean
        )
        return list(map(int, done.stdout.split()))

    usual, kept = run("usual")[0], run("keep")
    assert kept[0] < usual / 10
    assert kept[1] > usual / 2
