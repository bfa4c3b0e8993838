from __future__ import annotations

import pytest

from pipelines.methods.recipe import Recipe
from pipelines.methods.setting_names import nearest_setting, setting_meant

KNOWN = [*Recipe.__dataclass_fields__, "segments"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("learning_rate", "lr"),
        ("learning-rate", "lr"),
        ("LR", "lr"),
        ("batch_size", "batch"),
        ("num_epochs", "epochs"),
        ("wd", "weight_decay"),
        ("Weight-Decay", "weight_decay"),
        ("optimizer", "optimiser"),
        ("scheduler", "schedule"),
        ("warmup", "warmup_epochs"),
        ("nonsense", None),
        ("dropout", None),
    ],
)
def test_a_setting_is_found_by_the_names_of_other_programs(name: str, meant: str | None) -> None:
    assert setting_meant(name, KNOWN) == meant


@pytest.mark.parametrize(
    ("name", "near"), [("learning_rat", "lr"), ("epocs", "epochs"), ("segmets", "segments"), ("qqqq", None)]
)
def test_the_nearest_setting_is_one_that_is_near_or_none(name: str, near: str | None) -> None:
    assert nearest_setting(name, KNOWN) == near


def test_no_name_of_ours_is_another_name_of_another_setting() -> None:
    assert {name: setting_meant(name, KNOWN) for name in KNOWN} == {name: name for name in KNOWN}
