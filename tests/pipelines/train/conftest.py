"""Fixtures of the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.one_thread import one_thread
from tests.pipelines.train.loop_world import train

__all__ = ["one_thread", "whole"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder
