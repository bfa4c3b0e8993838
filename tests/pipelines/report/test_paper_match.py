from __future__ import annotations

from typing import Any

import pytest

from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.paper_match import PaperRows, comparable, dataset_named, encoder_named, real_place, v2_named
from pipelines.report.table_groups import Group
from tests.pipelines.report.evaluations import both, evaluation


def test_a_dataset_is_known_by_its_reader_or_its_name(workspace: Workspace) -> None:
    workspace.datasets["kitchens"] = DatasetSettings("epic", (), 1)
    assert [dataset_named(workspace, name) for name in ("kitchens", "egtea", "mine")] == ["epic", "egtea", None]


@pytest.mark.parametrize(
    ("target", "classes", "name"),
    [
        ("epic", (300, 97), "epic"),
        ("epic", (28, 13), None),
        ("egtea", (54, 20), "egtea"),
        ("egtea", (53, 19), "egtea"),
        ("mine", (300, 97), None),
    ],
)
def test_a_dataset_is_the_paper_s_by_its_numbers_of_classes(
    workspace: Workspace, target: str, classes: tuple[int, int], name: str | None
) -> None:
    made = Metrics.model_validate(evaluation(target=target, classes=classes))
    assert real_place(workspace, made) == name


@pytest.mark.parametrize("label", ["noun", "verb"])
def test_one_of_egtea_s_test_splits_is_not_the_paper_s(workspace: Workspace, label: str) -> None:
    made = evaluation(target="egtea")
    made["labels"][label]["n_official"] = 2_022
    assert real_place(workspace, Metrics.model_validate(made)) is None


def test_another_split_is_not_the_paper_s(workspace: Workspace) -> None:
    made = evaluation() | {"target": {"dataset": "epic", "split": "train"}}
    assert real_place(workspace, Metrics.model_validate(made)) is None


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("open_clip:ViT-B-16/openai", "CLIP ViT-B/16"),
        ("open_clip:ViT-L-14-quickgelu/openai", "CLIP ViT-L/14"),
        ("open_clip:ViT-B-16/laion2b_s34b_b88k", "folder"),
        ("open_clip:ViT-B-16=clip.safetensors", "folder"),
        ("lavila:CLIP_OPENAI_TIMESFORMER_LARGE=c89337.pth", "Lavila ViT-L/14"),
        (None, "folder"),
    ],
)
def test_an_encoder_is_the_paper_s_only_where_its_weights_are_known(spec: str | None, name: str) -> None:
    assert encoder_named({"encoder": "folder", "encoder_spec": spec}) == name


def test_a_file_that_openai_published_is_the_papers_encoder() -> None:
    folder = "open-clip-vit-b-16-vit-b-16.pt-5806e77c"
    said = {"encoder": folder, "encoder_spec": "open_clip:ViT-B-16=ViT-B-16.pt"}
    assert encoder_named(said) == "CLIP ViT-B/16"
    assert encoder_named({**said, "encoder": "open-clip-vit-b-16-mine.pt-00000000"}).endswith("mine.pt-00000000")
    assert encoder_named({**said, "encoder_spec": "timm:vit=ViT-B-16.pt"}) == folder


def test_the_second_encoder_is_named() -> None:
    dino = "timm-vit-large-patch14-dinov2.lvd142m-0a1b2c3d"
    assert [v2_named({"v2": v2}) for v2 in (dino, "other-1", None)] == ["v2=dino", "v2=other-1", ""]


@pytest.mark.parametrize(
    ("how", "as_in_paper"),
    [
        ({}, True),
        ({"method": "zero-shot"}, True),
        ({"run": {"recipe": "matched", "source_val": 10.0}}, False),
        ({"run": {"source_val": 50.0}}, False),
        ({"run": {"changed_recipe": {"epochs": 2}}}, False),
        ({"protocol": {"plan": "seg4-k1-256px-q95"}}, False),
        ({"protocol": {"names": "synonyms"}}, False),
        ({"protocol": {"encoder_spec": "open_clip:ViT-L-14/openai"}}, False),
        ({"random_weights": ["vit"]}, False),
        ({"clips_file": {"sha256": "ab", "clips": 4}}, False),
    ],
)
def test_only_runs_made_as_the_paper_s_may_stand_beside_its_numbers(how: dict[str, Any], as_in_paper: bool) -> None:
    own, other = (Metrics.model_validate(one) for one in both(**how))
    assert comparable(Group([(own, other)]), 1) == as_in_paper


def test_a_direction_that_the_paper_does_not_have_has_no_numbers() -> None:
    assert PaperRows(1, "ego4d", "epic").number("xmic", "", "noun", "hm") is not None
    assert not PaperRows(1, "ego4d", "egtea")
    assert not PaperRows(3, "epic", "egtea")
    assert not PaperRows(1, None, "epic")
    assert PaperRows(1, "epic", "ego4d").number("late-fusion", "", "noun", "hm") is None
