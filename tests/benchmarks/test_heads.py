from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.heads import __main__ as command
from benchmarks.heads.cells import CELLS, FAMILIES, OF, SEEDS, SIZE, Family, declared
from benchmarks.heads.report import corrected_family, report
from benchmarks.pocket.cells import SOURCES, Cell
from benchmarks.pocket.controls import altered_frames
from benchmarks.pocket.frozen import freeze, require_frozen
from benchmarks.pocket.run import run
from benchmarks.result_file import Results
from data_manifests.errors import InputError
from pipelines.methods import load_method
from pipelines.methods.base import ClipBatch, resolve_config
from pocket_kitchens.world import SIZES
from tests.benchmarks.made_up import made_up_nuisances

MADE = {"frozen": "f" * 64, "size": SIZE}


def part(right: float, clips: int, recordings: int = 10) -> dict[str, Any]:
    each = {f"r{number}": [right / recordings, clips / recordings] for number in range(recordings)}
    return {"clips": clips, "right": right, "recordings": each}


class FakeMaker:
    """Results without a world: a cell is as right as its place in the list."""

    def world(self, seed: int) -> int:
        return seed

    def nuisances(self, world: int) -> dict[str, Any]:
        return made_up_nuisances()

    def measure(self, cell: Cell, source: str, world: int) -> dict[str, Any]:
        right = 10 * list(OF).index(cell.name)
        numbers = {name: part(right, 1000) for name in ("within", "cross", "shared", "novel")}
        return {label: dict(numbers) for label in cell.labels}


def test_every_cell_has_a_name_of_its_own_and_settings_that_resolve():
    assert len(OF) == len(CELLS)
    for cell in CELLS:
        if not cell.by_rule:
            options = cell.run_options(SIZE)
            assert options["fixed_frames"]
            resolve_config(load_method(cell.method), options.get("preset", "official"), options["set"])


def test_the_forms_differ_in_the_head_alone():
    found = {
        form: resolve_config(
            load_method("xmic"), OF[f"xmic-{form}"].preset, OF[f"xmic-{form}"].run_options(SIZE)["set"]
        )
        for form in ("mlp", "linear", "none", "recommended", "paper")
    }
    assert [found[form].config.head for form in found] == ["mlp", "linear", "none", "auto", "auto"]
    plain = {form: {**vars(of.config), "head": "", "head_relu": ""} for form, of in found.items()}
    assert plain["mlp"] == plain["linear"] == plain["none"]
    assert found["mlp"].recipe == found["none"].recipe == found["recommended"].recipe != found["paper"].recipe


def test_what_is_declared_is_committed_and_fits_the_cells():
    stored = json.loads(command.STORED.read_text())
    assert stored["declared"] == json.loads(json.dumps(declared()))
    assert tuple(stored["declared"]["seeds"]) == SEEDS
    assert not set(SEEDS) & {0, 1, 2, *range(900, 905)}
    assert len(SEEDS) >= 3
    assert SIZE in SIZES
    named = {name for family in FAMILIES for pair in family.pairs for name in pair}
    assert named <= set(OF)
    assert Counter(family.primary for family in FAMILIES)[True] == 5


def test_another_declaration_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now = command.frozen_here()
    freeze(now, tmp_path / "frozen.json")
    monkeypatch.setattr(command, "declared", lambda: {**declared(), "seeds": (0, 1, 2)})
    with pytest.raises(InputError, match="changed: cells"):
        require_frozen(command.frozen_here(), tmp_path / "frozen.json")


def test_reversed_frames_are_the_same_frames_backwards_in_every_stream():
    frames = torch.arange(12.0).reshape(2, 6, 1).expand(2, 6, 3).contiguous()
    found = altered_frames(ClipBatch(frames, frames + 100, None), "reversed", np.random.default_rng(0))
    assert found.frames is not None
    assert found.hand is not None
    assert found.frames[:, :, 0].tolist() == [[5.0, 4, 3, 2, 1, 0], [11.0, 10, 9, 8, 7, 6]]
    assert torch.equal(found.hand, found.frames + 100)


def test_a_family_is_corrected_together_and_the_report_has_every_table(tmp_path: Path):
    results = Results(tmp_path / "heads.jsonl", MADE)
    assert "- seed 20: everything" in report(results, SEEDS)
    run(results, SEEDS, FakeMaker(), CELLS)
    there = {
        (seed, cell.name, source): results.read(f"seed-{seed}/{source}/{cell.name}")["labels"]  # type: ignore[index]
        for seed in SEEDS
        for cell in CELLS
        for source in SOURCES
    }
    family = Family("X", "?", (("xmic-none", "xmic-mlp"), ("zero-shot", "zero-shot")))
    found = corrected_family(there, SEEDS, family)
    assert len(found) == 2 * 2 * 2 * 2
    # Two cells further means 2 points in every recording; p of 10,000 draws times the comparisons that are smaller.
    (_, gained, p) = found[0]
    assert gained.mean == pytest.approx(2.0)
    assert gained.bounds == pytest.approx((2.0, 2.0))
    assert p == pytest.approx(16 * 2 / 10_001)
    assert next(p for (_, _, one, _, _), _, p in found if one == "zero-shot") == 1.0
    text = report(results, SEEDS)
    for family in FAMILIES:
        assert f"## {family.name}. {family.question}" in text
    assert "| noun | epic | X-MIC, no head − X-MIC, released head (official) | within | 2.0 ± 0.0 [2.0, 2.0] |" in text
    assert "## Missing" not in text
