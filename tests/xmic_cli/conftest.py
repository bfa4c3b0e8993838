"""What several tests of the commands stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmic_cli.app import run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole small demo; not to be written into."""
    folder = tmp_path_factory.mktemp("demo") / "xmic-demo"
    assert run(["demo", str(folder), "--small"]) == 0
    return folder
