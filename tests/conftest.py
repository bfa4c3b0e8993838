"""Fixtures every test may use. Tests are no package, so shared code is loaded from its file here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def video_maker() -> ModuleType:
    """tests/video_maker.py: writes real videos whose frames carry their own number, and reads it back."""
    spec = importlib.util.spec_from_file_location("video_maker", Path(__file__).parent / "video_maker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_video(video_maker: ModuleType) -> Callable[..., int]:
    """``make_video(path, codec="libx264", fps=30, seconds=2, ...)``; see tests/video_maker.py."""
    return video_maker.make_video
