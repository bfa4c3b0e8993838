from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data_manifests.errors import InputError, MissingUpstream
from pipelines.engine import stage
from pipelines.engine.inspection import State, inspect
from pipelines.engine.progress import Progress
from pipelines.engine.shards import DamagedShard, read_footer, read_rows, side_path
from pipelines.engine.stage import OpenShard, RunPolicy, Unit, require_same
from tests.pipelines.engine.stage_fixtures import NumbersStage, run, tree


def _states(item: NumbersStage) -> dict[str, tuple[str, str]]:
    found = {unit.group: inspect(item, unit) for unit in item.units()}
    return {group: (str(one.state), one.why) for group, one in found.items() if one.state is not State.DONE}


@pytest.fixture
def made(tmp_path: Path) -> NumbersStage:
    """A stage whose three shards are made."""
    item = NumbersStage(tmp_path / "numbers")
    assert run(item) == ["a", "b", "c"]
    item.made.clear()
    return item


def test_before_the_first_run_every_shard_is_missing(tmp_path: Path) -> None:
    item = NumbersStage(tmp_path / "numbers")
    assert _states(item) == dict.fromkeys("abc", ("missing", "not made yet"))
    plan = stage.plan(item)
    assert ([one.unit.group for one in plan.todo], plan.done, plan.size) == (["a", "b", "c"], [], 300)
    assert not item.folder.exists()


def test_a_second_run_makes_nothing_and_touches_no_file(made: NumbersStage) -> None:
    before = {file: file.stat().st_mtime_ns for file in made.folder.rglob("part-*.parquet")}
    report = stage.run(made)
    assert made.made == []
    assert report.seconds > 0
    assert {**vars(report), "seconds": 0} == {
        "stage": "numbers",
        "folder": str(made.folder),
        "title": "three groups",
        "counted": "numbers",
        "made_rows": 0,
        "seconds": 0,
        "shards": 3,
        "already_done": 3,
        "made": 0,
        "remaining": 0,
        "rows": 98,
        "attempted": 98,
        "failures": {},
    }
    assert {file: file.stat().st_mtime_ns for file in made.folder.rglob("part-*.parquet")} == before
    assert len(before) == 9


def test_a_run_asks_for_the_units_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    units = NumbersStage.units

    def counted(item: NumbersStage) -> list[Unit]:
        asked.append(1)
        return units(item)

    monkeypatch.setattr(NumbersStage, "units", counted)
    assert stage.run(NumbersStage(tmp_path / "numbers")).made == 3
    assert len(asked) == 1


def test_a_changed_parameter_redoes_every_shard_and_says_which(made: NumbersStage) -> None:
    changed = replace(made, factor=4)
    assert _states(changed) == dict.fromkeys("abc", ("stale", "factor changed from 3 to 4"))
    assert run(changed) == ["a", "b", "c"]
    assert read_rows(made.folder / "part-c.parquet", ["n"]).column("n").to_pylist() == [0, 4, 8]
    assert run(changed) == []


def test_a_raised_version_redoes_every_shard(made: NumbersStage) -> None:
    why = "written by numbers version 1, now numbers version 2"
    assert _states(replace(made, version=2)) == dict.fromkeys("abc", ("stale", why))


def test_a_changed_input_redoes_exactly_what_reads_it(made: NumbersStage) -> None:
    changed = replace(made, upstream={"b": "another digest"})
    assert _states(changed) == {"b": ("stale", "input upstream changed")}
    before = tree(made.folder)
    assert run(changed) == ["b"]
    assert {name for name, content in tree(made.folder).items() if before[name] != content} == {"part-b.parquet"}


def test_what_does_not_change_the_rows_does_not_change_the_key(made: NumbersStage, tmp_path: Path) -> None:
    moved = tmp_path / "moved" / "elsewhere"
    moved.parent.mkdir()
    made.folder.rename(moved)
    other = NumbersStage(
        moved,
        batch=3,
        backwards=True,
        command="xmic other --name",
        environment={"torch": "99", "workers": 8},
        provenance={"normalised": True},
    )
    other.sizes = {"c": 4, "d": 1, **made.sizes}
    other.fails = {"a": [("timeout", 2)]}
    assert {group: state for group, (state, _) in _states(other).items()} == {"d": "missing"}


def test_a_deleted_shard_alone_is_redone(made: NumbersStage) -> None:
    before = tree(made.folder)
    (made.folder / "part-b.parquet").unlink()
    assert _states(made) == {"b": ("missing", "not made yet")}
    assert run(made) == ["b"]
    assert tree(made.folder) == before


def test_a_truncated_shard_alone_is_redone(made: NumbersStage) -> None:
    before = tree(made.folder)
    path = made.folder / "part-b.parquet"
    os.truncate(path, 1000)
    ((group, (state, why)),) = _states(made).items()
    assert (group, state) == ("b", "damaged")
    assert why.startswith(f"{path}: not a whole Parquet file (")
    assert run(made) == ["b"]
    assert tree(made.folder) == before


def test_a_file_in_its_place_that_is_not_ours_is_redone(made: NumbersStage) -> None:
    path = made.folder / "part-c.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(), path)
    why = f"{path}: a Parquet file that xmic did not write (no 'xmic' entry in its footer)"
    assert _states(made) == {"c": ("damaged", why)}
    assert run(made) == ["c"]


def test_the_shard_of_another_group_in_its_place_is_redone(made: NumbersStage) -> None:
    (made.folder / "part-b.parquet").write_bytes((made.folder / "part-a.parquet").read_bytes())
    assert _states(made) == {"b": ("stale", "input upstream changed")}
    assert run(made) == ["b"]


def test_a_side_part_that_is_missing_or_of_another_run_redoes_its_shard(made: NumbersStage) -> None:
    before = tree(made.folder)
    notes = side_path(made.folder / "part-b.parquet", "notes")
    why = ("damaged", "its side part notes/part-b.parquet is missing or of another run")
    notes.unlink()
    assert _states(made) == {"b": why}
    notes.write_bytes(side_path(made.folder / "part-a.parquet", "notes").read_bytes())
    assert _states(made) == {"b": why}
    assert run(made) == ["b"]
    assert tree(made.folder) == before


def test_a_flipped_bit_is_caught_on_reading_and_only_that_shard_redone(made: NumbersStage) -> None:
    before = tree(made.folder)
    path = made.folder / "part-b.parquet"
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(2).column(1)
    content[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    assert _states(made) == {}
    with pytest.raises(
        DamagedShard, match=re.escape("run the stage that wrote it again, it will redo this shard only")
    ):
        read_rows(path)
    assert _states(made) == {"b": ("missing", "not made yet")}
    assert run(made) == ["b"]
    assert (made.folder / "part-b.parquet.damaged").read_bytes() == content
    (made.folder / "part-b.parquet.damaged").unlink()
    assert tree(made.folder) == before


def test_upstream_content_that_changed_under_the_same_key_invalidates_what_reads_it(tmp_path: Path) -> None:
    first = NumbersStage(tmp_path / "first")

    def second() -> NumbersStage:
        digests = {unit.group: read_footer(unit.path).digest for unit in first.units()}
        return NumbersStage(tmp_path / "second", upstream=digests)

    run(first)
    run(second())
    key = read_footer(tmp_path / "first" / "part-b.parquet").key
    first.sizes["b"] = 30  # as a retry of failed rows does: other rows, the same key
    (tmp_path / "first" / "part-b.parquet").unlink()
    assert run(first) == ["b"]
    assert read_footer(tmp_path / "first" / "part-b.parquet").key == key
    assert _states(second()) == {"b": ("stale", "input upstream changed")}
    assert run(second()) == ["b"]


@pytest.mark.parametrize("changes", [{"backwards": True}, {"batch": 1}, {"batch": 16}, {"batch": 1000}])
def test_bytes_do_not_depend_on_the_order_of_units_or_on_batches(
    made: NumbersStage, tmp_path: Path, changes: dict[str, Any]
) -> None:
    other = NumbersStage(tmp_path / "other", **changes)
    run(other)
    assert tree(other.folder) == tree(made.folder)


def test_limit_makes_so_many_shards_and_the_next_call_goes_on(tmp_path: Path) -> None:
    item = NumbersStage(tmp_path / "numbers")
    assert run(item, limit=0) == []
    assert run(item, limit=2) == ["a", "b"]
    assert [one.unit.group for one in stage.plan(item, RunPolicy(limit=5)).todo] == ["c"]
    report = stage.run(item, RunPolicy(limit=0))
    assert (report.shards, report.already_done, report.remaining, report.rows) == (3, 2, 1, 95)
    assert run(item, limit=2) == ["c"]
    whole = NumbersStage(tmp_path / "whole")
    run(whole)
    assert tree(item.folder) == tree(whole.folder)


def test_each_shard_is_in_one_share_by_its_name_whatever_other_shards_there_are(tmp_path: Path) -> None:
    many = NumbersStage(tmp_path / "many", sizes=dict.fromkeys("abcdefghijklmnop", 2))
    shares = [run(many, shard=(i, 3)) for i in range(3)]
    assert sorted(group for share in shares for group in share) == list(many.sizes)
    assert all(len(share) > 1 for share in shares)
    few = NumbersStage(tmp_path / "few", sizes=dict.fromkeys("bdep", 2))
    assert [run(few, shard=(i, 3)) for i in range(3)] == [[g for g in share if g in few.sizes] for share in shares]
    assert run(NumbersStage(tmp_path / "some", sizes=many.sizes), shard=(0, 3), limit=1) == shares[0][:1]


class _Waiting(NumbersStage):
    """Its group b cannot be made yet."""

    def unit(self, group: str) -> Unit:
        unit = super().unit(group)
        return replace(unit, lacks="its letters: run xmic letters") if group == "b" else unit


def _share_of(group: str, count: int = 8) -> tuple[int, int]:
    return next((i, count) for i in range(count) if RunPolicy(shard=(i, count)).takes(f"part-{group}.parquet"))


@pytest.mark.parametrize("shard", [(0, 1), _share_of("b")])
def test_a_shard_without_its_input_ends_the_call_before_anything_is_made(
    tmp_path: Path, shard: tuple[int, int]
) -> None:
    item = _Waiting(tmp_path / "numbers")
    said = (
        f"numbers three groups: 1 shard cannot be made yet. The first, {tmp_path}/numbers/part-b.parquet, lacks its "
        "letters: run xmic letters, and then this again. --allow-partial makes the other shards now."
    )
    with pytest.raises(MissingUpstream, match=re.escape(said)):
        run(item, shard=shard)
    assert not item.folder.exists()
    assert [unit.group for unit in stage.plan(item, RunPolicy(shard=shard)).lacking] == ["b"]


def test_a_share_whose_inputs_are_all_there_is_made_while_others_wait(tmp_path: Path) -> None:
    item = _Waiting(tmp_path / "numbers")
    assert _share_of("a") != _share_of("b")
    assert "a" in run(item, shard=_share_of("a"))


def test_what_can_be_made_is_made_if_a_part_is_allowed_and_the_rest_counts_as_remaining(tmp_path: Path) -> None:
    item = _Waiting(tmp_path / "numbers")
    report = stage.run(item, RunPolicy(allow_partial=True))
    assert (item.made, report.shards, report.made, report.remaining) == (["a", "c"], 3, 2, 1)
    item = NumbersStage(item.folder)
    assert run(item) == ["b"]


def test_require_same_names_the_entry_both_values_and_both_places() -> None:
    values = {"runs/a": {"crop": "union", "torch": "2"}, "embeddings/b": {"crop": "union", "torch": "2"}}
    require_same("evaluate", values)
    require_same("evaluate", {"alone": {"crop": "union"}})
    values["embeddings/c"] = {"torch": "2"}
    with pytest.raises(InputError) as error:
        require_same("evaluate", values)
    assert str(error.value) == (
        "evaluate: crop is 'union' in runs/a but None in embeddings/c. Make both with the same settings."
    )


class _Watcher:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self.told.append((what, total, unit, done))

    def advance(self, steps: int = 1) -> None:
        self.told.append(steps)

    def note(self, text: str) -> None:
        self.told.append(text)

    def finish(self) -> None:
        self.told.append("finished")


def test_progress_counts_what_is_done_already_and_each_shard(made: NumbersStage) -> None:
    (made.folder / "part-b.parquet").unlink()
    watcher = _Watcher()
    stage.run(made, progress=watcher)
    assert watcher.told == [("numbers three groups", 98, "numbers", 43), 55, "finished"]


def test_rows_that_a_stage_reports_beforehand_are_counted_once(tmp_path: Path) -> None:
    class Telling(NumbersStage):
        def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
            for unit in super().make(units, open_shard, progress):
                progress.advance(30)
                yield unit

    watcher = _Watcher()
    report = stage.run(Telling(tmp_path / "numbers"), progress=watcher)
    # 40 rows, of which 30 were reported before; the 30 of the third group are more than it has.
    assert watcher.told == [("numbers three groups", 98, "numbers", 0), 30, 10, 30, 25, 3, "finished"]
    assert (report.made_rows, report.counted, report.title) == (98, "numbers", "three groups")
    assert report.seconds > 0


def test_a_bug_in_a_stage_keeps_what_is_committed_frees_locks_and_ends_the_progress(tmp_path: Path) -> None:
    class Breaking(NumbersStage):
        def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
            for unit in super().make(units, open_shard, progress):
                if unit.group == "b":
                    raise RuntimeError("a bug")
                yield unit

    watcher = _Watcher()
    with pytest.raises(RuntimeError, match="a bug"):
        stage.run(Breaking(tmp_path / "numbers"), progress=watcher)
    assert watcher.told == [("numbers three groups", 98, "numbers", 0), 40, "finished"]
    assert run(NumbersStage(tmp_path / "numbers")) == ["c"]
