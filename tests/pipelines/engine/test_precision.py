from __future__ import annotations

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.precision import resolve_precision


@pytest.fixture
def cpu(tmp_path):
    def write(flags):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
        return file

    return write


def test_auto_follows_the_hardware(cpu, tmp_path):
    assert resolve_precision("auto", "cuda") == "fp16"
    assert resolve_precision("auto", "cuda:1") == "fp16"
    assert resolve_precision("auto", "mps") == "fp32"
    assert resolve_precision("auto", "cpu", cpu("avx512_bf16 sse")) == "bf16"
    assert resolve_precision("auto", "cpu", cpu("avx2")) == "fp32"
    assert resolve_precision("auto", "cpu", tmp_path / "none") == "fp32"


def test_what_is_asked_for_is_taken_or_refused():
    assert resolve_precision("fp32", "cpu") == "fp32"
    with pytest.raises(UsageError, match="--precision fp16: only on CUDA"):
        resolve_precision("fp16", "cpu")
    with pytest.raises(UsageError, match="--precision int8: expected auto, fp32, bf16, fp16"):
        resolve_precision("int8", "cpu")
    with pytest.raises(UsageError, match="--precision bf16: mps is tried with fp32 only"):
        resolve_precision("bf16", "mps")
