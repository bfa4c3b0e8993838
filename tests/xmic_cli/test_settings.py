from __future__ import annotations

import pytest

from data_manifests.errors import UsageError
from xmic_cli.settings import pairs, toml_settings


def test_values_are_read_as_in_toml_else_as_text():
    items = ["window=4.0", "drop=true", "names=[1, 2]", "root=a/b.csv", 'quoted="4"', "equation=a=b", "none="]
    assert toml_settings(items) == {
        "window": 4.0,
        "drop": True,
        "names": [1, 2],
        "root": "a/b.csv",
        "quoted": "4",
        "equation": "a=b",
        "none": "",
    }


def test_a_value_can_not_smuggle_in_another_key():
    assert toml_settings(["a=1\nb = 2"]) == {"a": "1\nb = 2"}


def test_a_setting_without_a_value_is_refused():
    with pytest.raises(UsageError, match="--set epochs: expected KEY=VALUE"):
        pairs(["epochs"])
