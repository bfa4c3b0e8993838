from __future__ import annotations

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.machine import Machine


def test_auto_takes_cuda_when_it_is_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Machine().resolve_device() == "cuda"
    assert Machine(device="cpu").resolve_device() == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Machine().resolve_device() == "cpu"
    with pytest.raises(UsageError, match="finds no CUDA device here"):
        Machine(device="cuda").resolve_device()
