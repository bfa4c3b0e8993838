from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.plugins import check_options, did_you_mean, load_class

KNOWN = {"errors": "data_manifests.errors:UsageError"}


def test_a_short_name_finds_its_class() -> None:
    assert load_class("errors", KNOWN, "thing") is UsageError


def test_a_users_own_class_needs_no_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_of_a_user.py").write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_class("plugin_of_a_user:Mine", KNOWN, "thing").__name__ == "Mine"


def test_an_unknown_name_is_answered_with_the_nearest_one_and_the_list() -> None:
    with pytest.raises(UsageError) as error:
        load_class("erors", KNOWN, "thing")
    assert str(error.value) == (
        "There is no thing 'erors'. Did you mean 'errors'? Known: errors. Your own is named as package.module:Class."
    )


def test_nothing_near_is_not_guessed_at() -> None:
    assert did_you_mean("xyz", ["errors"]) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no_such_module_here:X", "the module no_such_module_here cannot be imported (No module named"),
        ("data_manifests.errors:UsageEror", "has no class UsageEror. Did you mean 'UsageError'?"),
    ],
)
def test_a_class_path_that_leads_nowhere_says_where_it_ends(name: str, text: str) -> None:
    with pytest.raises(UsageError) as error:
        load_class(name, KNOWN, "thing")
    assert text in str(error.value)


def test_wrong_and_missing_options_are_named_with_what_is_accepted() -> None:
    def build(weights: Path, size: int = 640) -> None: ...

    check_options(build, "b", "thing", {"weights": Path("w")})
    with pytest.raises(UsageError, match=r"'b': missing a required argument: 'weights'. It takes: weights, size=640"):
        check_options(build, "b", "thing", {})
    with pytest.raises(UsageError, match=r"unexpected keyword argument 'sise'"):
        check_options(build, "b", "thing", {"weights": Path("w"), "sise": 1})
