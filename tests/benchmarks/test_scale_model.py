"""The simulation of scale: its laws, its inputs, and the committed page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.scale_model import DATA, RATES, page, read_rates, shards_of, simulate, stages_of

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_page_is_what_the_program_gives() -> None:
    written = (ROOT / "docs/scale.md").read_text("utf-8")
    assert written == page(read_rates()), "run python -m benchmarks.scale_model --report docs/scale.md"


def test_every_rate_says_where_it_comes_from_and_no_rate_of_a_gpu_counts_as_measured() -> None:
    entries = json.loads(RATES.read_text("utf-8"))
    kinds = {name: entry["kind"] for name, entry in entries.items()}
    assert set(kinds.values()) == {"measured", "published", "computed", "estimated", "assumed"}
    assert all(entry["source"] and set(entry) == {"value", "kind", "source"} for entry in entries.values())
    assert {kinds[name] for name in kinds if "gpu" in name} == {"published", "assumed"}


def test_equal_shards_of_one_worker_take_their_frames_at_its_rate() -> None:
    shards = {f"part-v{number}.parquet": 100 for number in range(50)}
    assert simulate(shards, 10.0, 1, 1e9) == pytest.approx(500)


def test_more_workers_are_never_slower_and_never_faster_than_their_number() -> None:
    shards = shards_of(DATA[0])
    alone = simulate(shards, 1000.0, 1, 1e9)
    for workers in (2, 8, 64):
        assert alone / workers <= simulate(shards, 1000.0, workers, 1e9) < alone


def test_a_failing_node_costs_time_and_a_long_video_bounds_what_is_made_side_by_side() -> None:
    shards = shards_of(DATA[0])
    assert simulate(shards, 1000.0, 8, 0.5) > simulate(shards, 1000.0, 8, 1e9)
    long = {"part-v0.parquet": 1000, "part-v1.parquet": 10}
    assert simulate(long, 80.0, 1, 1e9, of_one=10.0) >= 100


def test_what_bounds_a_stage_is_its_slowest_part() -> None:
    rates = read_rates()
    bounds = {stage.name: stage.bound for stage in stages_of(DATA[0], {**rates, "jpeg_s": 1.0}, 8)}
    assert (bounds["decode"], bounds["embed, full frames"]) == ("cores", "cores (JPEG)")
    slow_disk = {stage.name: stage.bound for stage in stages_of(DATA[0], {**rates, "disk_bytes_per_s": 1e6}, 8)}
    assert {bound for name, bound in slow_disk.items() if name != "train X-MIC"} == {"disk"}
