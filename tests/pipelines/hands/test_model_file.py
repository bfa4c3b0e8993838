from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import yaml
from huggingface_hub.errors import LocalEntryNotFoundError

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.hands import model_file
from pipelines.hands.detector import describe_detector, load_detector
from pipelines.hands.finetune.network import make_network
from pipelines.hands.model_file import find_weights, read_model, write_model
from tests.pipelines.hands.finetune.tiny import TINY_ARCHITECTURE

NAMES = ("left hand", "right hand")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return make_network(TINY_ARCHITECTURE, 2, 0).state_dict()  # type: ignore[no-any-return]


@pytest.fixture
def file(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    write_model(tmp_path / "hands.safetensors", TINY_ARCHITECTURE, NAMES, state, 64, {"seed": 0})
    return tmp_path / "hands.safetensors"


def rewrite(file: Path, **changes: Any) -> None:
    described = file.with_suffix(".yaml")
    described.write_text(yaml.safe_dump({**yaml.safe_load(described.read_text()), **changes}))


def test_a_model_comes_back_in_half_precision(file: Path, state: dict[str, torch.Tensor]) -> None:
    model = read_model(file)
    assert (model.checkpoint.names, model.image_size, model.made) == (NAMES, 64, {"seed": 0})
    assert model.checkpoint.config == TINY_ARCHITECTURE
    name = "model.0.conv.weight"
    assert torch.equal(model.checkpoint.state[name], state[name].half())


def test_the_detector_runs_it_at_its_own_size_with_sides(file: Path) -> None:
    detector = load_detector("yolo", weights=file, batch_size=2)
    assert detector.slug.startswith("yolo-hands-64-")
    assert detector.provenance["classes"] == {"left hand": "left", "right hand": "right"}
    frame = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    assert all(box.side in ("left", "right") for box in detector.detect([frame])[0])
    assert describe_detector("yolo", weights=file, image_size=96).provenance["image_size"] == 96


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"weights_sha256": "0" * 64}, "was written for other weights"),
        ({"format": "another"}, "not a hand model of xmic"),
        ({"more": 1}, "not a hand model of xmic"),
        ({"names": []}, "expected a list of class names"),
        ({"image_size": 100}, "expected a multiple of 32"),
        ({"names": ["hand"]}, "1 class names for 2 classes"),
        ({"architecture": {**TINY_ARCHITECTURE, "activation": "__import__('os')"}}, "not a plain one"),
    ],
)
def test_a_model_that_is_not_as_it_was_written_is_refused(file: Path, changes: dict[str, Any], says: str) -> None:
    rewrite(file, **changes)
    with pytest.raises(InputError, match=says):
        read_model(file)


def test_damaged_weights_and_missing_files_are_named(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(InputError, match="was written for other weights"):
        read_model(file)
    file.with_suffix(".yaml").write_text("a: [")
    with pytest.raises(InputError, match="not YAML"):
        read_model(file)
    file.with_suffix(".yaml").unlink()
    with pytest.raises(InputError, match=r"hands\.yaml: no such file"):
        read_model(file)


def test_yaml_that_would_make_objects_is_refused(file: Path) -> None:
    file.with_suffix(".yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(InputError, match="not YAML"):
        read_model(file)


def test_weights_of_another_network_are_refused(file: Path) -> None:
    smaller = {**TINY_ARCHITECTURE, "scales": {"n": [0.5, 0.125, 128]}}
    rewrite(file, architecture=smaller)
    with pytest.raises(InputError, match=r"hands\.safetensors"):
        load_detector("yolo", weights=file).detect([np.zeros((9, 9, 3), np.uint8)])


def test_no_weights_are_the_packaged_model_where_it_is_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "PACKAGED", file)
    assert find_weights(None) == file
    monkeypatch.setattr(model_file, "PACKAGED", file.with_name("none.safetensors"))
    with pytest.raises(UsageError, match="--weights is missing"):
        find_weights(None)


def test_a_model_of_the_hub_is_fetched_with_its_yaml(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, bool]] = []

    def download(repository: str, name: str, local_files_only: bool) -> str:
        asked.append((repository, name, local_files_only))
        return str(file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_weights(Path("hf://me/hands/v1/hands.safetensors"), offline=True) == file
    assert asked == [("me/hands", "v1/hands.safetensors", True), ("me/hands", "v1/hands.yaml", True)]
    find_weights("hf://me/hands/hands.pt")
    assert asked[2:] == [("me/hands", "hands.pt", False)]


def test_a_model_of_the_hub_that_cannot_be_fetched_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: Any, **__: Any) -> str:
        raise LocalEntryNotFoundError("not in the cache")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(MissingUpstream, match=r"not in the cache.*hf download me/hands hands\.pt"):
        find_weights("hf://me/hands/hands.pt", offline=True)


@pytest.mark.parametrize("name", ["hf://me/hands", "hf://hands.pt", "hf://me/hands/hands.bin"])
def test_a_hub_name_of_another_form_is_a_wrong_call(name: str) -> None:
    with pytest.raises(UsageError, match="expected hf://owner/repo/file"):
        find_weights(name)
