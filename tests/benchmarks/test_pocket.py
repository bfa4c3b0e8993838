from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pocket import frozen
from benchmarks.pocket.__main__ import main
from benchmarks.pocket.cells import (
    CELLS,
    COMPARED,
    LATER,
    LATER_CELLS,
    LATER_COMPARED,
    OF,
    SOURCES,
    TABLE4,
    TABLE6,
    Cell,
    recipe,
)
from benchmarks.pocket.controls import (
    altered_frames,
    frames_of,
    most_frequent,
    nonsense_names,
    random_boxes,
    verbs_of_nouns,
)
from benchmarks.pocket.counts import counted, split_by_class
from benchmarks.pocket.numbers import difference, value
from benchmarks.pocket.report import entries, report
from benchmarks.pocket.run import Watch, run
from benchmarks.result_file import Results
from data_manifests.errors import InputError, Interrupted
from pipelines.methods.base import ClipBatch, resolve_config
from pipelines.methods.xmic import XMIC
from pocket_kitchens.demo import demo_config
from pocket_kitchens.drawing.domains import EPIC
from pocket_kitchens.world import Size, noun_predicts_verb, plan_world
from tests.benchmarks.made_up import made_up_nuisances

MADE = {"frozen": "f" * 64, "size": "demo"}


def part(right: float, clips: int, recording: str = "a") -> dict[str, Any]:
    return {"clips": clips, "right": right, "recordings": {recording: [right, clips]} if clips else {}}


def entry(within: float, cross: float) -> dict[str, Any]:
    found = {"within": part(within, 10), "cross": part(cross, 10), "shared": part(cross, 10), "novel": part(0, 0)}
    names = ("vector_norm", "text_norm", "scale", "logit_scale")
    return {**found, "statistics": dict.fromkeys(names, 1.0)}


class FakeMaker:
    """Results without a world; counts what it is asked."""

    def __init__(self, stop_after: int | None = None, detector: str = "yolo-hands") -> None:
        self.detector = detector
        self.worlds: list[int] = []
        self.measured: list[tuple[str, str]] = []
        self._left = stop_after

    def world(self, seed: int) -> int:
        self.worlds.append(seed)
        return seed

    def nuisances(self, world: int) -> dict[str, Any]:
        return made_up_nuisances()

    def measure(self, cell: Cell, source: str, world: int) -> dict[str, Any]:
        if self._left is not None:
            if not self._left:
                raise Interrupted("the time is over")
            self._left -= 1
        self.measured.append((cell.name, source))
        more = {"detector": self.detector} if cell.boxes == "detected" else {}
        return {label: {**entry(5, 2), **more} for label in cell.labels}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from("abc")), max_size=40),
    st.sets(st.integers(0, 4)),
)
def test_shared_and_novel_clips_are_counted_as_a_plain_loop_counts_them(clips: list[Any], novel: set[int]) -> None:
    right, truth, recordings = (list(column) for column in zip(*clips, strict=True)) if clips else ([], [], [])
    found = split_by_class(np.array(right, bool), np.array(truth, np.int64), recordings, novel)
    for name, belongs in (
        ("cross", lambda c: True),
        ("shared", lambda c: c not in novel),
        ("novel", lambda c: c in novel),
    ):
        expected: dict[str, list[int]] = {}
        for is_right, number, recording in clips:
            if belongs(number):
                counts = expected.setdefault(recording, [0, 0])
                counts[0] += is_right
                counts[1] += 1
        assert found[name]["recordings"] == expected
        assert found[name]["clips"] == sum(c for _, c in expected.values())
        assert found[name]["right"] == sum(r for r, _ in expected.values())


def test_a_rule_that_draws_counts_by_its_chance() -> None:
    assert counted(np.full(4, 0.25), list("aabb")) == {
        "clips": 4,
        "right": 1.0,
        "recordings": {"a": [0.5, 2], "b": [0.5, 2]},
    }


def test_the_verb_of_a_noun_is_the_one_it_is_trained_with_most_and_else_the_most_frequent() -> None:
    nouns = ["cup", "cup", "cup", "pot", "pot", "pot"]
    verbs = ["wash", "open", "wash", "stir", "stir", "stir"]
    assert verbs_of_nouns(nouns, verbs, ["pot", "cup", "egg"]) == ["stir", "wash", "stir"]
    assert most_frequent(["b", "a", "a", "b"]) == "b"


def test_the_noun_given_majority_is_what_the_world_says_of_itself() -> None:
    videos = plan_world(EPIC, Size(300, 200), 7)
    train, test = ([clip for v in videos if v.split == split for clip in v.clips] for split in ("train", "test"))
    assert {clip.noun for clip in test} <= {clip.noun for clip in train}
    said = verbs_of_nouns([c.noun for c in train], [c.verb for c in train], [c.noun for c in test])
    right = sum(verb == clip.verb for verb, clip in zip(said, test, strict=True))
    assert 100 * right / len(test) == pytest.approx(noun_predicts_verb(videos))


def boxes(frames: int = 200) -> pa.Table:
    """Frames with no, one or two hands, perhaps with a thing."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number in range(frames):
        place = {"video": "ab"[number // (frames // 2)], "time_s": number % (frames // 2) / 30}
        for kind in [[], ["hand"], ["hand", "object"], ["hand", "hand"]][number % 4]:
            low, size = rng.uniform(0, 0.5, 2), rng.uniform(0.05, 0.5, 2)
            corners = {"x0": low[0], "y0": low[1], "x1": low[0] + size[0], "y1": low[1] + size[1]}
            rows.append({**place, **corners, "kind": kind})
        if number % 4 == 0:
            rows.append({**place, "x0": None, "y0": None, "x1": None, "y1": None, "kind": None})
    return pa.Table.from_pylist(rows)


def test_random_boxes_have_the_sizes_of_the_true_ones_and_lie_inside_the_frame() -> None:
    true = boxes()
    moved = random_boxes(true, 3)
    assert moved.schema == true.schema
    assert moved.column("kind").equals(true.column("kind"))
    corners = [np.stack([t.column(n).to_numpy() for n in ("x0", "y0", "x1", "y1")], 1) for t in (true, moved)]
    there = ~np.isnan(corners[0]).any(1)
    assert np.array_equal(np.isnan(corners[0]), np.isnan(corners[1]))
    before, after = (c[there] for c in corners)
    np.testing.assert_allclose(after[:, 2:] - after[:, :2], before[:, 2:] - before[:, :2], atol=1e-12)
    assert after.min() >= 0
    assert after.max() <= 1
    assert np.abs(after - before).max() > 0.1


def test_the_crop_around_random_boxes_is_as_large_as_the_true_one() -> None:
    true = boxes()
    frame = frames_of(true)
    assert frame[-1] == 199
    starts = np.flatnonzero(np.append(True, frame[1:] != frame[:-1]))
    sizes = [
        np.maximum.reduceat(t.column(f"{axis}1").to_numpy(), starts)
        - np.minimum.reduceat(t.column(f"{axis}0").to_numpy(), starts)
        for t in (true, random_boxes(true, 3))
        for axis in "xy"
    ]
    np.testing.assert_allclose(sizes[:2], sizes[2:], atol=1e-12)


def test_random_boxes_are_the_same_for_a_seed_and_fill_the_frame_evenly() -> None:
    true = pa.table({"video": ["a"] * 4000, "time_s": np.arange(4000.0), "x0": [0.0] * 4000, "x1": [0.2] * 4000,
                     "y0": [0.5] * 4000, "y1": [0.9] * 4000})  # fmt: skip
    one = random_boxes(true, 1)
    assert one.equals(random_boxes(true, 1))
    assert not one.equals(random_boxes(true, 2))
    left = one.column("x0").to_numpy()
    counts = np.histogram(left, 8, (0, 0.8))[0]
    assert counts.min() > 400
    assert one.column("y0").to_numpy().max() <= 0.6


def test_nonsense_names_are_distinct_stable_and_no_real_ones() -> None:
    names = nonsense_names(60, 5)
    assert len(set(names)) == 60
    assert names == nonsense_names(60, 5)
    assert names != nonsense_names(60, 6)
    assert nonsense_names(3, 5, avoid=[names[0], f"frying {names[1].upper()}"])[0] == names[2]
    assert all(len(name) == 6 and name.isalpha() for name in names)


def test_a_single_frame_is_the_middle_one_and_shuffling_moves_all_streams_alike() -> None:
    frames = torch.arange(12.0).reshape(2, 6, 1).expand(2, 6, 3).contiguous()
    batch = ClipBatch(frames, frames + 100, None)
    single = altered_frames(batch, "single frame", np.random.default_rng(0))
    assert single.frames is not None
    assert single.frames[:, :, 0].tolist() == [[3.0] * 6, [9.0] * 6]
    shuffled = altered_frames(batch, "shuffled", np.random.default_rng(0))
    assert shuffled.frames is not None
    assert shuffled.hand is not None
    assert shuffled.full is None
    assert not torch.equal(shuffled.frames, frames)
    assert torch.equal(shuffled.frames.sort(1).values, frames)
    assert torch.equal(shuffled.hand, shuffled.frames + 100)
    assert altered_frames(batch, "", np.random.default_rng(0)) is batch


def test_cells_are_the_two_tables_and_named_once() -> None:
    assert len(OF) == len(CELLS) + len(LATER_CELLS)
    assert {name for _, *pair in (*COMPARED, *LATER_COMPARED) for name in pair} <= set(OF)
    streams = Counter((cell.streams, cell.classify) for cell in CELLS if cell.section == TABLE4)
    assert len(streams) == 5
    assert ("both", "hand") not in streams
    norms = {cell.norms for cell in CELLS if cell.section == TABLE6}
    assert len(norms) == 7
    assert ("n1",) not in norms


def test_the_full_recipe_is_the_products_and_the_small_one_the_demos() -> None:
    official = resolve_config(XMIC, "official", recipe("full")).recipe
    assert (official.epochs, official.batch) == (15, 128)
    demo = recipe("demo")
    assert all(f"{name} = {number}" in demo_config() for name, number in demo.items())


def test_a_second_call_does_no_work(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    first = FakeMaker()
    assert run(results, [0, 1], first) == 2 * (len(CELLS) * len(SOURCES) + 1)
    assert first.worlds == [0, 1]
    again = FakeMaker()
    assert run(results, [0, 1], again) == 0
    assert again.worlds == again.measured == []


def test_after_a_stop_only_what_is_missing_is_measured(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    first, rest = FakeMaker(stop_after=5), FakeMaker()
    with pytest.raises(Interrupted):
        run(results, [0], first)
    run(results, [0], rest)
    assert len(first.measured) == 5
    assert len(rest.measured) == len(CELLS) * len(SOURCES) - 5
    assert not set(first.measured) & set(rest.measured)


def test_results_of_another_hash_are_refused(tmp_path: Path) -> None:
    run(Results(tmp_path / "results.jsonl", MADE), [0], FakeMaker())
    with pytest.raises(InputError, match="made with frozen f+, here it is 0"):
        run(Results(tmp_path / "results.jsonl", {**MADE, "frozen": "0"}), [0], FakeMaker())


def test_the_time_ends_a_stage_where_it_tells_its_progress() -> None:
    watch = Watch(0.0, "seed 0")
    watch.start("embed", 3)
    with pytest.raises(Interrupted, match="the same command goes on"):
        watch.advance()
    watch.finish()


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    for name in ("tiny.json", "tiny.safetensors"):
        (tmp_path / name).write_text("{}")
    return f"open_clip:{tmp_path / 'tiny.json'}={tmp_path / 'tiny.safetensors'}"


def test_no_adapter_is_trained_when_nothing_or_something_else_is_frozen(tmp_path: Path, encoder: str) -> None:
    stored, maker, results = tmp_path / "frozen.json", FakeMaker(), Results(tmp_path / "results.jsonl", MADE)
    now = frozen.frozen_now(encoder)
    with pytest.raises(InputError, match="nothing is frozen, so no adapter is trained"):
        run(results, [0], maker, may_train=lambda: frozen.require_frozen(now, stored))
    assert maker.worlds == []
    untrained = tuple(cell for cell in CELLS if not cell.trains)
    assert run(results, [0], maker, untrained, lambda: frozen.require_frozen(now, stored)) > 0
    assert frozen.freeze(now, stored)
    assert not frozen.freeze(now, stored)
    frozen.require_frozen(now, stored)
    Path(encoder.partition("=")[2]).write_text("other")
    with pytest.raises(InputError, match="changed: encoder"):
        frozen.require_frozen(frozen.frozen_now(encoder), stored)


@pytest.mark.parametrize("name", ["world.py", "kinds.toml"])
def test_a_changed_source_file_of_the_world_is_named(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source = tmp_path / "pocket"
    source.mkdir()
    (source / name).write_text("A = 1\n")
    (source / "__init__.py").write_text("")
    monkeypatch.setattr(frozen, "_SOURCE", source)
    frozen.freeze(frozen.frozen_now(encoder), tmp_path / "frozen.json")
    (source / name).write_text("A = 2\n")
    with pytest.raises(InputError, match=rf"changed: {name}\."):
        frozen.freeze(frozen.frozen_now(encoder), tmp_path / "frozen.json")


def test_an_encoder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--encoder", "open_clip:ViT-B-16/openai"]) == 3
    assert "no file of weights" in capsys.readouterr().err
    assert main([]) == 2


def test_the_report_has_every_table_and_says_what_is_missing(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    assert "- seed 0: everything" in report(results, [0, 1])
    run(results, [0], FakeMaker())
    with pytest.raises(Interrupted):
        run(results, [1], FakeMaker(stop_after=2 * len(CELLS) - 1))
    text = report(results, [0, 1])
    assert "- seed 1: xmic-random (ego4d), zero-shot-detected (epic)" in text
    for heading in ("Worlds", "Controls: nouns", "Normalisation (Table 6): verbs", "Differences in points: nouns"):
        assert f"## {heading}" in text
    assert "| epic | X-MIC, official | 50.0 ± 0.0 [50.0, 50.0] | 20.0 ± 0.0 [20.0, 20.0] | 28.6" in text
    (row,) = [line for line in text.splitlines() if "ego4d | X-MIC, random boxes | 50.0 [" in line][:1]
    assert "| – | 10; 10 = 10 + 0 |" in row


def test_the_command_reports_what_was_measured_on_a_world_that_has_changed_since(tmp_path: Path) -> None:
    run(Results(tmp_path / "pocket.jsonl", MADE), [0], FakeMaker())
    assert main([str(tmp_path), "--report", str(tmp_path / "pocket.md"), "--seeds", "0"]) == 0
    assert "Size demo, seeds 0; frozen as `ffffffffffff`" in (tmp_path / "pocket.md").read_text()


def test_cells_of_a_later_hand_model_are_not_frozen_and_stand_apart(tmp_path: Path, encoder: str) -> None:
    stored = json.loads(frozen.STORED.read_text())
    now = frozen.frozen_now(encoder)
    assert now["cells"] == stored["cells"]
    results = Results(tmp_path / "results.jsonl", MADE)
    run(results, [0], FakeMaker())
    assert LATER not in report(results, [0])
    assert "- seed 0: zero-shot-detected (epic), zero-shot-detected (ego4d)" in report(results, [0])
    run(results, [0], FakeMaker(), LATER_CELLS)
    before, _, after = report(results, [0]).partition(f"## {LATER}\n")
    assert "detected boxes" not in before
    assert "Hand stream `yolo-hands`" in after
    assert "| epic | X-MIC, detected boxes | 50.0" in after
    assert "| epic | X-MIC: true − detected boxes | 0.0" in after


def test_boxes_of_two_hand_models_are_not_put_into_one_row(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", MADE)
    run(results, [0], FakeMaker(detector="yolo-a"), LATER_CELLS)
    run(results, [1], FakeMaker(detector="yolo-b"), LATER_CELLS)
    with pytest.raises(InputError, match="several hand models: yolo-a, yolo-b"):
        report(results, [0, 1])


def test_a_value_is_the_mean_over_seeds_and_a_difference_is_paired() -> None:
    one, other = {0: entry(5, 4), 1: entry(7, 4)}, {0: entry(4, 4), 1: entry(6, 4)}
    within = value(one, "within")
    assert within is not None
    assert within.mean == pytest.approx(60)
    assert within.deviation == pytest.approx(np.std([50, 70], ddof=1))
    paired = difference(one, other, "within")
    assert paired is not None
    assert paired.mean == pytest.approx(10)
    assert paired.bounds == pytest.approx((10, 10))
    assert value(one, "novel") is None
    assert difference(one, {}, "within") is None
    there = {(0, "xmic", "epic"): {"noun": one[0]}}
    assert entries(there, [0, 1], OF["xmic"], "epic", "noun") == {0: one[0]}


def test_the_interval_of_a_harmonic_mean_is_that_of_the_mean_over_seeds() -> None:
    # Each seed is good at one side only: its harmonic mean is 0, that of the pooled accuracies were 50.
    found = value({0: entry(10, 0), 1: entry(0, 10)}, "hm")
    assert found is not None
    assert (found.mean, found.bounds) == (0, (0, 0))
    # A seed without clips on one side has no harmonic mean, and the others keep theirs.
    alone = entry(5, 5) | {"cross": part(0, 0)}
    found = value({0: entry(5, 5), 1: alone}, "hm")
    assert found is not None
    assert (found.mean, found.bounds) == (50, (50, 50))
