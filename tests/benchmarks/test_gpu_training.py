from __future__ import annotations

import pytest

from benchmarks.cost.measure import QUICK_ENCODER
from benchmarks.gpu.training import Size, measure
from pipelines.methods import METHODS

TINY = Size(QUICK_ENCODER, 2, 1, 3, 6)


def test_every_method_that_learns_is_measured_in_both_precisions_and_in_parts() -> None:
    rows = measure("cpu", 0.0, TINY)
    steps = [row for row in rows if row["what"] == "step"]
    learning = [name for name in METHODS if name != "zero-shot"]
    assert [(row["method"], row["precision"]) for row in steps] == [
        (name, precision) for name in learning for precision in ("fp32", "bf16")
    ]
    for row in steps:
        assert row["clips"] == (1 if row["method"] in ("cocoop", "vita-clip") else 2)
        assert row["clips_per_s"] == pytest.approx(row["clips"] / row["step"])
        assert all(row[part] > 0 for part in ("step", "gather", "forward", "backward", "optimiser"))
        assert row["peak_bytes"] is None
    gathered = [row for row in rows if row["what"] == "gather"]
    assert [row["vectors"] for row in gathered] == ["device", "memory map"]
    assert all(row["seconds"] > 0 for row in gathered)
