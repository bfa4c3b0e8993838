"""What the loop promises of every method that is trained on vectors alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from data_manifests.errors import InputError, Interrupted
from pipelines.methods import load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, build_method
from tests.pipelines.train.loop_world import DIM, SEGMENTS, STEPS, files, stop_before_step, train, world

XMIC: dict[str, Any] = {"segments": SEGMENTS, "heads": 2, "bottleneck": 2.0, "head_ratio": 2}
METHODS: dict[str, dict[str, Any]] = {
    "xmic": XMIC,
    "late-fusion": XMIC,
    "clip-adapter": {},
    "clip-adapter-temporal": {"segments": SEGMENTS, "heads": 2},
}


def make(name: str, seed: int = 0, **settings: Any) -> Method:
    method_class = load_method(name)
    config = method_class.config(**{**METHODS[name], **settings})
    return build_method(method_class, config, Backbone(DIM, DIM, 20.0), seed=seed)


@pytest.mark.parametrize("name", METHODS)
def test_a_stopped_training_resumes_to_the_same_bytes_and_a_seed_decides_them(name: str, tmp_path: Path) -> None:
    train(tmp_path / "whole", make(name))
    with pytest.raises(Interrupted):
        train(tmp_path / "resumed", make(name), stop=stop_before_step(STEPS + 2))
    train(tmp_path / "resumed", make(name))
    assert files(tmp_path / "resumed") == files(tmp_path / "whole")
    train(tmp_path / "other", make(name, seed=1))
    assert files(tmp_path / "other")["weights.safetensors"] != files(tmp_path / "whole")["weights.safetensors"]


@pytest.mark.parametrize("name", METHODS)
def test_what_is_frozen_is_bit_identical_after_training_and_what_is_not_has_moved(name: str, tmp_path: Path) -> None:
    _, text = world()
    vectors, method = text.vectors.clone(), make(name, train_logit_scale=False)
    before = {key: tensor.clone() for key, tensor in method.state_dict().items()}
    train(tmp_path, method, text=text)
    assert torch.equal(text.vectors, vectors)
    moved = {key for key, tensor in method.state_dict().items() if not torch.equal(tensor, before[key])}
    assert moved == set(before) - {"logit_scale"} == set(load_file(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize(("name", "other"), [("xmic", "late-fusion"), ("clip-adapter-temporal", "clip-adapter")])
def test_a_half_trained_head_of_one_method_is_never_gone_on_with_as_another(
    name: str, other: str, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path, make(name), stop=stop_before_step(2))
    before = files(tmp_path)
    with pytest.raises(InputError, match=f"is of method {name}, this training is of method {other}"):
        train(tmp_path, make(other))
    assert files(tmp_path) == before
