from __future__ import annotations

import pytest
import yaml

from pipelines.evaluate.metrics_file import Metrics
from pipelines.export.card import DRAWN, Card, result_rows, terms_of, warnings_of


def metrics(**parts: object) -> Metrics:
    numbers = {"top1": 25.0, "top5": 100.0, "class_mean": None, "n_evaluated": 4, "n_official": 5, "classes": 4}
    numbers |= {"classes_present": 3, "recordings": {"a": [1, 2], "b": [0, 2]}}
    run = {"name": "r", "method": "xmic", "preset": "official", "seed": 0, "key": "k", "recipe": None, "epochs": None}
    known = {
        "schema": 3,
        "run": run,
        "source": {"dataset": "epic", "split": "train"},
        "target": {"dataset": "ego4d", "split": "val"},
        "within": False,
        "protocol": {},
        "random_weights": [],
        "mixed": [],
        "hand_fallback_rate": None,
        "labels": {"noun": numbers},
        "failures": {},
        "versions": {},
        "commands": [],
    }
    return Metrics.model_validate({**known, **parts})


def test_a_row_has_the_number_its_interval_and_its_clips() -> None:
    (row,) = result_rows([metrics()])
    assert row["target"] == "ego4d val (cross-dataset)"
    assert (row["top1"], row["top5"], row["class_mean"], row["clips"]) == ("25.00", "100.00", "–", "4/5")
    assert row["between"] == "0.0–50.0"


def test_across_datasets_a_row_has_the_draws_that_every_other_table_has() -> None:
    noun = {**metrics().labels["noun"].model_dump(), "recordings": {f"v{k}": (7 * k % 11, 11 + k) for k in range(12)}}
    within, cross = (metrics(within=within, labels={"noun": noun}) for within in (True, False))
    rows = result_rows([within, cross])
    for row, one in zip(rows, (within, cross), strict=True):
        low, high = one.interval(one.labels["noun"]) or (0, 0)
        assert row["between"] == f"{low:.1f}–{high:.1f}"
    assert rows[0]["between"] != rows[1]["between"]


def card(**parts: object) -> Card:
    texts = ("name", "method", "preset", "key", "encoder", "encoder_sha256", "source", "recipe")
    known: dict = {**dict.fromkeys(texts, "r"), "seed": 0, "heads": ["nouns"], "licence": None}
    known |= {name: {} for name in ("summaries", "protocol", "versions")}
    known |= {name: [] for name in ("results", "warnings", "terms")}
    return Card(**{**known, **parts})


@pytest.mark.parametrize(
    ("licence", "method"), [(None, "xmic"), ("Apache-2.0", "mine: a [method]"), ("a: b", "# not a comment")]
)
def test_the_front_matter_is_yaml_whatever_the_values_are(licence: str | None, method: str) -> None:
    _, front, text = card(licence=licence, method=method).markdown().split("---\n", 2)
    found = yaml.safe_load(front)
    assert found["tags"] == ["egocentric-video", "action-recognition", method]
    assert found.get("license") == (licence and licence.lower())
    assert text.startswith("\n# r\n")


def test_what_weakens_the_numbers_is_said() -> None:
    mixed = [{"what": "detector", "run": "a", "target": "b"}]
    found = warnings_of([metrics(random_weights=["vit"], mixed=mixed)])
    assert found[0] == "vit has random weights: these numbers mean nothing."
    assert found[1] == "ego4d val: detector is b, the run was trained with a."
    assert found[2] == "ego4d val: 1 noun clips are not in the numbers."


def test_a_leaking_epoch_is_said() -> None:
    one = metrics()
    leaking = one.run.model_copy(update={"leaking": True, "select_target": "ego4d:val"})
    (found, _) = warnings_of([one.model_copy(update={"run": leaking})])
    assert found.startswith("The kept epoch was chosen by labelled clips of ego4d:val: the numbers there are not")


@pytest.mark.parametrize(
    ("reader", "spec", "expected"),
    [
        ("epic", "open_clip:ViT-B-16/openai", ("CC BY-NC 4.0", "OpenAI's CLIP weights: MIT")),
        ("ego4d", "timm:vit_large_patch14_dinov2.lvd142m", ("licence agreement", "Apache License 2.0")),
        ("table", "pocket", ("whoever recorded them", "xmic's licence")),
        (DRAWN, "pocket", ("drawn by xmic", "xmic's licence")),
        (None, "open_clip:ViT-B-16=mine.safetensors", ("whoever recorded them", "who published its weights")),
    ],
)
def test_licences_are_named_where_they_are_known(reader: str | None, spec: str, expected: tuple[str, str]) -> None:
    terms = terms_of(reader, [spec, spec])
    assert len(terms) == 2
    assert all(part in text for part, text in zip(expected, terms, strict=True))
