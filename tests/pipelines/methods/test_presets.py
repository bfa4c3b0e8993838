"""The settings of presets that are known without loading a method."""

from __future__ import annotations

import pytest

from data_manifests.errors import UsageError
from pipelines.evaluate.current import WITH_VECTOR
from pipelines.methods import METHODS, load_method
from pipelines.methods.presets import FILE, preset_of, resolved, text_of_file
from pipelines.methods.xmic import XMIC


def test_the_committed_file_is_what_the_methods_give() -> None:
    assert FILE.read_text("utf-8") == text_of_file(), (
        "presets.json is not current: run python -m pipelines.methods.presets"
    )


def test_a_method_of_a_users_own_is_loaded_and_gives_the_same_facts() -> None:
    assert preset_of("pipelines.methods.xmic:XMIC", "paper") == preset_of("xmic", "paper") == resolved("xmic", "paper")
    assert preset_of("xmic", "paper").conditions
    assert not preset_of("zero-shot", "official").trains


def test_a_preset_or_method_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="--preset nothing: xmic has the presets "):
        preset_of("xmic", "nothing")
    with pytest.raises(UsageError):
        preset_of("xmik", "official")


def test_the_methods_with_an_xmic_vector_are_those_of_its_class() -> None:
    assert set(WITH_VECTOR) == {name for name in METHODS if issubclass(load_method(name), XMIC)}
