from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import MissingUpstream, UsageError
from data_manifests.times import clock_of
from pipelines.engine.workspace import Workspace
from pipelines.look.options import LookOptions
from pipelines.look.page import write_look
from pipelines.look.split_facts import split_facts


def page(workspace: Workspace, **options: Any) -> str:
    return Path(write_look(workspace, LookOptions("mine", **options))["html"]).read_text("utf-8")


def test_the_same_artifacts_give_the_same_bytes_and_no_path(embedded: Workspace) -> None:
    first = page(embedded)
    assert page(embedded) == first
    assert str(embedded.root) not in first


def test_it_is_at_the_place_of_its_dataset_or_of_its_name(embedded: Workspace) -> None:
    assert write_look(embedded, LookOptions("mine"))["html"] == str(embedded.look("mine") / "index.html")
    named = write_look(embedded, LookOptions("mine", name="first"))["html"]
    assert named == str(embedded.report("first") / "index.html")
    with pytest.raises(UsageError, match="not a path"):
        write_look(embedded, LookOptions("mine", name="../x"))


def test_a_dataset_that_is_not_prepared_is_refused(embedded: Workspace) -> None:
    with pytest.raises(MissingUpstream, match="xmic prepare"):
        write_look(embedded, LookOptions("none"))
    with pytest.raises(MissingUpstream, match="xmic prepare"):
        write_look(embedded, LookOptions("mine", split="test"))


def test_clips_are_of_all_splits_and_some_have_no_hand(embedded: Workspace) -> None:
    text = page(embedded, clips=8)
    for split in ("train", "val"):
        assert text.count(f'data-tokens="split:{split} ') == 4
    without = {split: len(hands.clips_without) for split in ("train", "val") if (hands := _hands(embedded, split))}
    assert text.count("hand:none") - 1 >= min(1, max(without.values()))  # one more is the filter's


def _hands(workspace: Workspace, split: str) -> Any:
    return split_facts(workspace, "mine", split).hands


def test_one_split_alone_has_no_others_in_it(embedded: Workspace) -> None:
    text = page(embedded, split="val")
    assert "split:val" in text
    assert "split:train" not in text


def test_it_works_after_prepare_alone_and_names_what_gives_pictures(embedded: Workspace) -> None:
    shutil.rmtree(embedded.root / "frames")
    written = write_look(embedded, LookOptions("mine"))
    text = Path(written["html"]).read_text("utf-8")
    assert "no picture" in text
    assert "<img" not in text
    assert written["next"] == [f"xmic decode mine -w {embedded.root}"]
    assert written["next"][0] in text


def test_the_command_names_the_split_where_only_one_lacks_something(embedded: Workspace) -> None:
    shutil.rmtree(embedded.root / "hands" / "mine" / "val")
    written = write_look(embedded, LookOptions("mine"))
    [command] = written["next"]
    assert command.startswith("xmic detect-hands mine --split val ")


def test_words_of_the_dataset_are_escaped(tmp_path: Path, world: Any, make_video: Any) -> None:
    workspace = Workspace.open(tmp_path / "work")
    world.add_dataset(workspace, tmp_path, make_video, "mine", ("train",), (("<b>cut</b>", "<script>x"),), 2)
    text = page(workspace)
    assert "<script>x" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;x" in text


def test_times_are_of_minutes_and_of_hours_where_needed() -> None:
    assert [clock_of(seconds) for seconds in (0.0, 59.96, 61.26, 3723.0)] == ["0:00.0", "1:00.0", "1:01.3", "1:02:03.0"]
