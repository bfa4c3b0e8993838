"""PyTorch's threads in tests. The ``conftest.py`` of folders whose tests train imports the fixture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let PyTorch use so many threads in this process; other tests of it find their own number again."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other over such small tensors are slow on a busy machine."""
    with threads(1):
        yield
