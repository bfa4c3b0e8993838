from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import MissingUpstream, UsageError
from data_manifests.readers.table import TableReader
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare
from pipelines.prepare.vocabulary import compare_datasets, identity_of, vocabulary_of

SOURCE = "train:oven train:oven train:cup val:jar"
TARGET = "val:oven val:oven val:oven val:jar val:anvil val:anvil test:Cup"


def _prepare(workspace: Workspace, name: str, clips: str, nouns: str) -> None:
    """A dataset with a clip a word, 'split:noun', and these noun classes; the verb of every clip is 'put'."""
    folder = workspace.root.parent / name
    folder.mkdir()
    rows = [
        f"a.mp4,{i},{i + 1},put,{noun},{split}" for i, (split, noun) in enumerate(c.split(":") for c in clips.split())
    ]
    (folder / "clips.csv").write_text("\n".join(["video,start_s,stop_s,verb,noun,split", *rows]) + "\n")
    (folder / "nouns.txt").write_text("\n".join(nouns.split()) + "\n")
    reader = TableReader([(folder / "clips.csv", None)], roots=[folder], class_files={"noun": folder / "nouns.txt"})
    prepare(workspace, name, reader, [folder])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "work")
    _prepare(made, "source", SOURCE, "oven cup jar mat")
    _prepare(made, "target", TARGET, "anvil Cup jar oven sink")
    return made


def test_every_part_has_its_classes_those_with_clips_and_its_clips(workspace: Workspace) -> None:
    found = compare_datasets(workspace, "source", "target", ("noun",))
    assert found["split"] == "val"
    assert found["labels"]["noun"]["source_classes"] == {"shared": 3, "novel": 1}
    assert found["labels"]["noun"]["parts"] == {
        "shared": {"classes": 3, "with_clips": 2, "clips": 4},
        "supported": {"classes": 2, "with_clips": 1, "clips": 3},
        "unsupported": {"classes": 1, "with_clips": 1, "clips": 1},
        "novel": {"classes": 2, "with_clips": 1, "clips": 2},
    }


def test_a_class_that_the_source_shows_in_validation_only_is_unsupported(workspace: Workspace) -> None:
    rows = compare_datasets(workspace, "source", "target", ("noun",))["labels"]["noun"]["classes"]
    assert [tuple(row.values()) for row in rows] == [
        (0, "anvil", "novel", [], 0, 2),
        (1, "Cup", "supported", ["cup"], 1, 0),
        (2, "jar", "unsupported", ["jar"], 0, 1),
        (3, "oven", "supported", ["oven"], 2, 3),
        (4, "sink", "novel", [], 0, 0),
    ]


def test_without_a_train_split_of_the_source_support_is_not_known(workspace: Workspace) -> None:
    item = compare_datasets(workspace, "target", "source", ("noun",))["labels"]["noun"]
    unknown = {"classes": None, "with_clips": None, "clips": None}
    assert item["parts"]["supported"] == item["parts"]["unsupported"] == unknown
    assert item["parts"]["shared"] == {"classes": 3, "with_clips": 1, "clips": 1}
    assert {row["train_clips"] for row in item["classes"]} == {None}


def test_the_clips_are_those_of_the_named_split(workspace: Workspace) -> None:
    found = compare_datasets(workspace, "source", "target", ("noun",), split="test")
    assert found["labels"]["noun"]["parts"]["shared"]["clips"] == 1
    with pytest.raises(MissingUpstream, match="source has no prepared test split. Run xmic prepare for it"):
        compare_datasets(workspace, "target", "source", ("noun",), split="test")


def test_without_a_split_to_evaluate_on_the_classes_are_compared_and_no_clip_is_counted(workspace: Workspace) -> None:
    _prepare(workspace, "only-train", "train:oven", "oven sink")
    found = compare_datasets(workspace, "source", "only-train", ("noun",))
    assert found["split"] is None
    assert found["labels"]["noun"]["parts"]["shared"] == {"classes": 1, "with_clips": None, "clips": None}
    assert [row["clips"] for row in found["labels"]["noun"]["classes"]] == [None, None]


def test_a_result_carries_the_rule_the_hash_and_the_number_of_classes_in_each_part(workspace: Workspace) -> None:
    known = vocabulary_of(workspace, "source", "target", "noun")
    counts = {"shared": 3, "supported": 2, "unsupported": 1, "novel": 2}
    assert identity_of(known) == {"rule": "exact", "sha256": known.sha256, "classes": counts}
    assert compare_datasets(workspace, "source", "target", ("noun",))["labels"]["noun"]["sha256"] == known.sha256
    unknown = identity_of(vocabulary_of(workspace, "target", "source", "verb", "semantic"))
    assert unknown["rule"] == "semantic"
    assert unknown["classes"] == {"shared": 1, "supported": None, "unsupported": None, "novel": 0}


def test_what_can_not_be_compared_is_named(workspace: Workspace) -> None:
    with pytest.raises(MissingUpstream, match=r"nowhere has no prepared split.* Prepared: source \(train\)"):
        compare_datasets(workspace, "source", "nowhere", ("noun",))
    with pytest.raises(UsageError, match="--rule near: expected exact or semantic"):
        compare_datasets(workspace, "source", "target", ("noun",), "near")
