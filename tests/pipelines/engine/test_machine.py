from __future__ import annotations

import ctypes
import os
from types import SimpleNamespace

import pytest

from data_manifests.errors import UsageError
from pipelines.engine import machine
from pipelines.engine.machine import Machine, device_kind, usable_cores


def test_auto_takes_cuda_when_it_is_there(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Machine().resolve_device() == "cuda"
    assert Machine(device="cpu").resolve_device() == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Machine().resolve_device() == "cpu"
    with pytest.raises(UsageError, match="finds no CUDA device here"):
        Machine(device="cuda").resolve_device()


@pytest.mark.parametrize(
    ("platform", "version", "asked"), [("linux", "2.9.0", 0), ("linux", "2.9.0+rocm6.4", 1), ("win32", "2.9.0", 1)]
)
def test_auto_asks_pytorch_only_where_a_driver_could_be(monkeypatch, platform, version, asked):
    def no_driver(name):
        raise OSError(name)

    count = []
    monkeypatch.setattr(machine, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(machine, "versions", lambda name: {name: version})
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(count.append(1)))
    assert Machine().resolve_device() == "cpu"
    assert len(count) == asked
    with pytest.raises(UsageError, match="finds no CUDA device here"):
        Machine(device="cuda").resolve_device()  # what is asked for by name is looked for by PyTorch


def test_the_cores_of_this_process_count_where_it_can_be_bound_to_some(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 6}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert usable_cores() == 3


@pytest.mark.parametrize(("counted", "cores"), [(8, 8), (None, 1)])
def test_all_cores_count_where_there_is_no_affinity(monkeypatch, counted, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert usable_cores() == cores


def test_one_of_several_cuda_devices_is_taken_by_its_number(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [Machine(device=device).resolve_device() for device in ("cuda:0", "cuda:1")] == ["cuda:0", "cuda:1"]
    assert device_kind("cuda:1") == device_kind("cuda") == "cuda"
    with pytest.raises(
        UsageError, match="--device cuda:2: PyTorch finds 2 CUDA devices here; expected cuda:0 to cuda:1"
    ):
        Machine(device="cuda:2").resolve_device()


@pytest.mark.parametrize("device", ["cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:0", "gpu", ""])
def test_a_device_of_no_known_form_is_refused(device):
    with pytest.raises(UsageError, match=rf"^--device {device}: expected auto, cpu, cuda, cuda:N or mps$"):
        Machine(device=device).resolve_device()


def test_apples_gpu_is_taken_where_it_is_asked_for_and_there(monkeypatch):
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert Machine(device="mps").resolve_device() == "mps"
    assert Machine().resolve_device() != "mps"
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(UsageError, match="--device mps: PyTorch finds no GPU of Apple here"):
        Machine(device="mps").resolve_device()
