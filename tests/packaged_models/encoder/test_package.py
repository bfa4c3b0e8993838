from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from packaged_models.encoder import package as package_module
from packaged_models.encoder.measure import Measured, Row
from packaged_models.encoder.package import CHECK, package_encoder
from packaged_models.encoder.sample import CLIPS, FRAMES, SEEDS
from packaged_models.encoder.zero_shot import ZeroShot
from pipelines.embed.encoders.spec import POCKET, parse_spec
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.progress import Silent
from pocket_kitchens.build import VERSION
from tests.packaged_models.encoder.test_measure import NUMBERS

NAMES = ["pocket.json", "pocket.safetensors", "pocket.words.json"]


class _Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Folder of a training that ended with the packaged weights."""
    model = parse_spec(POCKET).file
    assert model is not None
    folder = tmp_path / "trained"
    folder.mkdir()
    for name in NAMES:
        shutil.copyfile(model.parent / name, folder / name)
    return folder


def _measure_gives(monkeypatch: pytest.MonkeyPatch, low: float) -> None:
    """Let the check find verbs whose loss is below ln C by ``low`` nats or more."""

    def measured(encoder: Any, seeds: Any, clips: int, progress: Any) -> Measured:
        assert (seeds, clips) == (SEEDS, CLIPS)
        verbs = replace(NUMBERS, gain_interval=(low, 0.12))
        rows = [Row("ego4d", "noun", kind, NUMBERS) for kind in ("full frames", "hand crops")]
        rows += [Row("ego4d", "verb", kind, verbs) for kind in ("full frames", "hand crops")]
        return Measured(tuple(seeds), encoder.logit_scale, tuple(rows))

    monkeypatch.setattr(package_module, "measure_encoder", measured)


def test_an_informative_encoder_is_packaged_with_its_numbers(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measure_gives(monkeypatch, 0.01)
    progress = _Notes()
    package_encoder(trained, tmp_path / "into", progress, allow_uninformative=False)
    assert sorted(file.name for file in (tmp_path / "into").iterdir()) == sorted([*NAMES, CHECK])
    for name in NAMES:
        assert (tmp_path / "into" / name).read_bytes() == (trained / name).read_bytes()
    check = json.loads((tmp_path / "into" / CHECK).read_text())
    assert {one["verdict"] for one in check["verdicts"]} == {"informative"}
    assert check["encoder"].endswith("979083af")
    assert progress.notes == []


def test_an_encoder_that_is_not_informative_is_not_packaged(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measure_gives(monkeypatch, -0.01)
    with pytest.raises(InputError, match=r"not informative for ego4d verbs;.*--allow-uninformative"):
        package_encoder(trained, tmp_path / "into", Silent(), allow_uninformative=False)
    assert not (tmp_path / "into").exists()
    verdicts = json.loads((trained / CHECK).read_text())["verdicts"]
    assert [one["verdict"] for one in verdicts] == ["informative", "not informative"]


def test_it_is_packaged_with_a_warning_where_that_is_asked_for(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measure_gives(monkeypatch, -0.01)
    progress = _Notes()
    package_encoder(trained, tmp_path / "into", progress, allow_uninformative=True)
    assert (tmp_path / "into" / "pocket.safetensors").is_file()
    assert (tmp_path / "into" / CHECK).read_bytes() == (trained / CHECK).read_bytes()
    [note] = progress.notes
    assert note.startswith("warning: ")
    assert "not informative for ego4d verbs" in note


def test_the_page_has_the_numbers_of_the_packaged_encoder_in_the_present_world() -> None:
    weights = parse_spec(POCKET).file
    assert weights is not None
    check = json.loads((weights.parent / CHECK).read_text("utf-8"))
    assert check["encoder"] == f"pocket-{whole_file_sha256(weights)[:8]}"
    assert (check["world_version"], check["seeds"], check["frames"]) == (VERSION, list(SEEDS), FRAMES)
    page = (Path(__file__).parents[3] / "docs" / "encoder.md").read_text("utf-8")
    shown = [line for line in page.splitlines() if line.startswith(("| epic |", "| ego4d |"))]
    assert shown == [f"| {' | '.join(_row(found).cells())} |" for found in check["rows"]]


def _row(found: dict[str, Any]) -> Row:
    intervals = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    numbers = {field.name: {**found, **intervals}[field.name] for field in fields(ZeroShot)}
    return Row(found["domain"], found["label"], found["pictures"], ZeroShot(**numbers))
