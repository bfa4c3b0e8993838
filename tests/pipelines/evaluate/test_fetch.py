"""``fetch`` by the hub's real client against a stand-in hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine import hub as engine_hub
from pipelines.evaluate.fetch import fetch
from tests.stand_in_hub import TOKEN, Repository, StandInHub, point_at, stand_in_hub

SPEC, REPOSITORY = "timm:test_vit.r160_in1k", "timm/test_vit.r160_in1k"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub(tmp_path / "cache", monkeypatch) as served:
        yield served


@pytest.fixture(scope="module")
def weights() -> bytes:
    torch.manual_seed(1)
    return save(timm.create_model("test_vit", pretrained=False).state_dict())


def test_an_encoder_lies_in_the_library_s_cache_and_is_found_offline(
    hub: StandInHub, weights: bytes, tmp_path: Path
) -> None:
    hub.repositories[REPOSITORY] = Repository({"model.safetensors": weights})
    (file,) = fetch(SPEC).files
    assert (file.of, file.bytes, file.sha256) == (SPEC, len(weights), hashlib.sha256(weights).hexdigest())
    assert file.path.is_relative_to(tmp_path / "cache")
    assert file.path.read_bytes() == weights
    asked = len(hub.asked)
    assert fetch(SPEC, offline=True).files == fetch(SPEC).files == [file]
    assert len(hub.asked) == asked


def test_the_other_format_is_taken_where_the_first_is_not_there(hub: StandInHub) -> None:
    hub.repositories[REPOSITORY] = Repository({"pytorch_model.bin": b"weights"})
    (file,) = fetch(SPEC).files
    assert file.path.name == "pytorch_model.bin"


def test_the_packaged_encoder_is_there_already(hub: StandInHub) -> None:
    (file,) = fetch("pocket", offline=True).files
    assert (file.path.name, hub.asked) == ("pocket.safetensors", [])


def test_offline_it_says_what_to_run_where_there_is_network(hub: StandInHub) -> None:
    with pytest.raises(
        MissingUpstream, match=r"--offline forbids the network.*run: xmic fetch timm:test_vit\.r160_in1k;"
    ):
        fetch(SPEC, offline=True)
    with pytest.raises(MissingUpstream, match=r"hf://me/run: .*run: xmic fetch hf://me/run; then copy models--me--run"):
        fetch("hf://me/run", offline=True)
    assert hub.asked == []


def test_no_network_is_one_error_after_two_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_hub, "_BETWEEN_ATTEMPTS_S", 0)
    point_at("http://127.0.0.1:9", tmp_path / "cache", monkeypatch)
    with pytest.raises(
        MissingUpstream, match=r"http://127\.0\.0\.1:9 cannot be reached.*run: xmic fetch timm:test_vit"
    ):
        fetch(SPEC)
    with pytest.raises(
        MissingUpstream, match=r"hf://me/run: could not be fetched \(http://127\.0\.0\.1:9 cannot be reached"
    ):
        fetch("hf://me/run")


@pytest.mark.parametrize("what", ["hf://run", "hf://me/", "hf://me/run@", "hf://me/run/file", "hf://../run"])
def test_another_form_of_address_is_refused(what: str) -> None:
    with pytest.raises(UsageError, match="expected hf://owner/repo or hf://owner/repo@revision"):
        fetch(what)


def test_random_weights_are_nothing_to_fetch() -> None:
    with pytest.raises(UsageError, match="random weights give numbers that mean nothing"):
        fetch("timm:test_vit/random")


def test_a_repository_that_is_not_there_or_private_or_of_another_revision_says_so(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingUpstream, match="no such repository, or a private one: check the name, or set HF_TOKEN"):
        fetch("hf://me/run")
    hub.repositories["me/run"] = Repository({"README.md": b"-"}, private=True)
    with pytest.raises(MissingUpstream, match="no such repository, or a private one"):
        fetch("hf://me/run")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(MissingUpstream, match="hf://me/run@v2: could not be fetched .no such revision"):
        fetch("hf://me/run@v2")
    with pytest.raises(InputError, match=r"hf://me/run: the repository has no xmic\.json"):
        fetch("hf://me/run")


def test_a_hand_model_s_file_is_fetched_and_found_offline(hub: StandInHub) -> None:
    hub.repositories["me/hands"] = Repository({"hands.pt": b"weights", "other.pt": b"other"})
    (file,) = fetch("hf://me/hands/hands.pt").files
    assert file.path.read_bytes() == b"weights"
    assert fetch("hf://me/hands/hands.pt", offline=True).files == [file]
    assert all(path.endswith("/hands.pt") for path in hub.downloads())
