from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data_manifests.epic_files import row, write_epic


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with annotations in csv/ and one of the two videos in videos/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XMIC_WORKSPACE", raising=False)
    train = [row("P90_01_0"), row("P90_02_0", noun_class="1"), row("P90_02_1", verb_class="7")]
    write_epic(tmp_path / "csv", {"train": train, "val": [row("P90_01_5")]})
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "P90_01.MP4").touch()
    return tmp_path
