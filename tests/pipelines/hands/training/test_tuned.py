from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_manifests.errors import InputError, UsageError
from pipelines.hands.model_file import read_model, write_model
from pipelines.hands.training.datasets import FilePictures
from pipelines.hands.training.network import make_network
from pipelines.hands.training.tuned import tune_model
from pipelines.progress import Silent
from tests.pipelines.hands.training.tiny import TINY_ARCHITECTURE


@pytest.fixture
def start(tmp_path: Path) -> Path:
    state = make_network(TINY_ARCHITECTURE, 2, 3).state_dict()
    write_model(tmp_path / "start.safetensors", TINY_ARCHITECTURE, ("left hand", "right hand"), state, 64, {})
    return tmp_path / "start.safetensors"


def one_picture(tmp_path: Path, *names: str) -> FilePictures:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    return FilePictures(names, ((tmp_path / "a.png", (0,), ((0.2, 0.2, 0.7, 0.7),)),))


def test_a_model_of_other_classes_keeps_the_weights_that_fit(tmp_path: Path, start: Path) -> None:
    made = tune_model(one_picture(tmp_path, "hand"), start, tmp_path / "into", 1, None, 0, True, Silent())
    tuned = read_model(Path(made["file"]))
    assert (tuned.checkpoint.names, tuned.image_size) == (("hand",), 64)
    name = "model.5.conv.weight"
    before = read_model(start).checkpoint.state[name].float()
    assert torch.nn.functional.cosine_similarity(tuned.checkpoint.state[name].float().ravel(), before.ravel(), 0) > 0.95


def test_pictures_without_a_hand_class_and_odd_sizes_are_refused(tmp_path: Path, start: Path) -> None:
    with pytest.raises(InputError, match="none of its classes is named hand"):
        tune_model(one_picture(tmp_path, "cup"), start, tmp_path, 1, None, 0, True, Silent())
    with pytest.raises(UsageError, match="multiple of 32"):
        tune_model(one_picture(tmp_path, "hand"), start, tmp_path, 1, 100, 0, True, Silent())
