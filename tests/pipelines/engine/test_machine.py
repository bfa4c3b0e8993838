from __future__ import annotations

import os

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.machine import Machine, usable_cores


def test_auto_takes_cuda_when_it_is_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Machine().resolve_device() == "cuda"
    assert Machine(device="cpu").resolve_device() == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Machine().resolve_device() == "cpu"
    with pytest.raises(UsageError, match="finds no CUDA device here"):
        Machine(device="cuda").resolve_device()


def test_the_cores_of_this_process_count_where_it_can_be_bound_to_some(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 6}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert usable_cores() == 3


@pytest.mark.parametrize(("counted", "cores"), [(8, 8), (None, 1)])
def test_all_cores_count_where_there_is_no_affinity(monkeypatch, counted, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert usable_cores() == cores
