from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError, MissingUpstream
from packaged_models.hands import pictures as pictures_module
from packaged_models.hands import train as packaged_module
from packaged_models.hands.drawing import mesh as mesh_module
from packaged_models.hands.drawing.mesh import MESH_FILE
from packaged_models.hands.drawing.photographs import read_photographs
from packaged_models.hands.train import STAGES, train_packaged
from pipelines.engine.progress import Silent
from pipelines.hands.model_file import read_model
from tests.packaged_models.hands.drawing.hand_file import write_hand
from tests.packaged_models.hands.drawing.photograph_folder import write_photographs
from tests.pipelines.hands.finetune.tiny import TINY, TINY_ARCHITECTURE, write_pictures


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of six pictures, and a network and stages that take no time."""
    for module in (pictures_module, packaged_module):
        monkeypatch.setattr(module, "A_FILE", 6)
    monkeypatch.setattr(packaged_module, "ARCHITECTURE", TINY_ARCHITECTURE)
    for name in ("STAGES", "CONTINUED"):
        monkeypatch.setattr(packaged_module, name, TINY.stages)


@pytest.mark.usefixtures("tiny")
def test_one_call_makes_the_packaged_model(tmp_path: Path) -> None:
    write_hand(tmp_path / MESH_FILE)
    write_pictures(tmp_path, 5, 6)
    made = train_packaged(tmp_path, tmp_path / "into", 5, 32, 6, None, None, 1, Silent())
    assert read_model(tmp_path / "into" / "hands.safetensors").sha256 == made["sha256"]
    assert read_model(tmp_path / "into" / "hands.safetensors").made["pictures"] == "6 drawn ones of seed 5"


@pytest.mark.usefixtures("tiny")
def test_pictures_with_photographs_are_others_and_the_model_says_so(tmp_path: Path) -> None:
    photographs = write_photographs(tmp_path / "photographs")
    digest = read_photographs(photographs).digest
    write_hand(tmp_path / MESH_FILE)
    write_pictures(tmp_path, 5, 6).parent.rename(tmp_path / f"pictures-5-photographs-{digest}")
    train_packaged(tmp_path, tmp_path / "into", 5, 32, 6, photographs, None, 1, Silent())
    made = read_model(tmp_path / "into" / "hands.safetensors").made
    assert made["photographs"] == f"3 of digest {digest}"
    assert not (tmp_path / "pictures-5").exists()
    with pytest.raises(InputError, match="no such folder of photographs"):
        train_packaged(tmp_path, tmp_path / "into", 5, 32, 6, tmp_path / "none", None, 1, Silent())


def test_without_the_hand_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_module.shutil, "which", lambda name: None)
    with pytest.raises(MissingUpstream, match="npm pack"):
        train_packaged(tmp_path, tmp_path, 0, 32, 6, None, None, 1, Silent())


def test_the_last_stage_is_the_size_that_the_model_is_used_at() -> None:
    assert STAGES[-1].until == 1.0
    assert STAGES[-1].image_size == 256


@pytest.mark.usefixtures("tiny")
def test_a_training_goes_on_from_a_model_that_was_made(tmp_path: Path) -> None:
    write_hand(tmp_path / MESH_FILE)
    for seed in (5, 6):
        write_pictures(tmp_path, seed, 6)
    first = train_packaged(tmp_path, tmp_path / "first", 5, 32, 6, None, None, 1, Silent())
    (tmp_path / "state.pt").unlink()
    start = tmp_path / "first" / "hands.safetensors"
    train_packaged(tmp_path, tmp_path / "second", 6, 1, 6, None, start, 1, Silent())
    before, after = (read_model(tmp_path / name / "hands.safetensors") for name in ("first", "second"))
    assert after.made["start"] == first["sha256"]
    assert after.made["training"]["lr"] == before.made["training"]["lr"] / 2
    pairs = [(before.checkpoint.state[name], value) for name, value in after.checkpoint.state.items() if "conv" in name]
    far = [float((one - other).abs().max()) for one, other in pairs if one.ndim == 4]
    assert 0 < max(far) < 0.05
