from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from data_manifests.errors import InputError, UsageError
from pipelines.engine.progress import Silent
from pipelines.hands.finetune.datasets import FilePictures
from pipelines.hands.finetune.network import make_network
from pipelines.hands.finetune.tune import tune_model
from pipelines.hands.model_file import read_model, write_model
from tests.pipelines.hands.finetune.tiny import TINY_ARCHITECTURE


@pytest.fixture
def start(tmp_path: Path) -> Path:
    state = make_network(TINY_ARCHITECTURE, 2, 3).state_dict()
    write_model(tmp_path / "start.safetensors", TINY_ARCHITECTURE, ("left hand", "right hand"), state, 64, {})
    return tmp_path / "start.safetensors"


def one_picture(
    tmp_path: Path, *names: str, grey: int = 90, kind: int = 0, right: float = 0.7, file: str = "a.png"
) -> FilePictures:
    cv2.imwrite(str(tmp_path / file), np.full((40, 60, 3), grey, np.uint8))
    return FilePictures(names, ((tmp_path / file, (kind,), ((0.2, 0.2, right, 0.7),)),))


def test_a_model_of_other_classes_keeps_the_weights_that_fit(tmp_path: Path, start: Path) -> None:
    made = tune_model(one_picture(tmp_path, "hand"), start, tmp_path / "into", 3, None, 0, True, Silent())
    assert made["pictures"] == 3  # one picture in each of three epochs
    tuned = read_model(Path(made["file"]))
    assert (tuned.checkpoint.names, tuned.image_size) == (("hand",), 64)
    name = "model.5.conv.weight"
    before = read_model(start).checkpoint.state[name].float()
    assert torch.nn.functional.cosine_similarity(tuned.checkpoint.state[name].float().ravel(), before.ravel(), 0) > 0.95


def test_a_finished_training_is_not_made_again_and_one_of_corrected_pictures_or_labels_is_refused(
    tmp_path: Path, start: Path
) -> None:
    def tuned(**changed: Any) -> dict[str, Any]:
        pictures = one_picture(tmp_path, "left hand", "right hand", **changed)
        return tune_model(pictures, start, tmp_path / "into", 1, None, 0, True, Silent())

    first = tuned()
    model = Path(first["file"])
    assert read_model(model).made["pictures"] == "1 of a user"
    assert read_model(model).made["pictures_digest"] == one_picture(tmp_path, "hand").digest
    again = tuned(file="moved.png")
    assert (first["already_done"], again["already_done"]) == (False, True)
    assert (again["sha256"], again["loss"]) == (first["sha256"], first["loss"])
    for corrected in ({"grey": 91}, {"kind": 1}, {"right": 0.71}):
        with pytest.raises(InputError, match="other settings, pictures or boxes. Name another folder"):
            tuned(**corrected)
    assert read_model(model).sha256 == first["sha256"]
    model.unlink()
    assert tuned()["already_done"]
    assert read_model(model).sha256 == first["sha256"]


def test_pictures_without_a_hand_class_and_odd_sizes_are_refused(tmp_path: Path, start: Path) -> None:
    with pytest.raises(InputError, match=r"the pictures: none of its classes is named hand: 0 cup\. Give the hands"):
        tune_model(one_picture(tmp_path, "cup"), start, tmp_path, 1, None, 0, True, Silent())
    with pytest.raises(UsageError, match="multiple of 32"):
        tune_model(one_picture(tmp_path, "hand"), start, tmp_path, 1, 100, 0, True, Silent())


def test_pictures_that_opencv_has_read_on_several_threads_can_be_trained_on(tmp_path: Path, start: Path) -> None:
    code = (
        "import sys, cv2, numpy as np\n"
        "from pathlib import Path\n"
        "from pipelines.engine.progress import Silent\n"
        "from pipelines.hands.finetune.datasets import FilePictures\n"
        "from pipelines.hands.finetune.tune import tune_model\n"
        "cv2.setNumThreads(2)\n"
        "cv2.resize(np.zeros((1080, 1920, 3), np.uint8), (640, 360), interpolation=cv2.INTER_AREA)\n"
        "folder = Path(sys.argv[1])\n"
        "cv2.imwrite(str(folder / 'a.png'), np.full((40, 60, 3), 90, np.uint8))\n"
        "pictures = FilePictures(('hand',), ((folder / 'a.png', (0,), ((0.2, 0.2, 0.7, 0.7),)),))\n"
        "tune_model(pictures, folder / 'start.safetensors', folder / 'into', 1, None, 0, True, Silent())\n"
        "assert cv2.getNumThreads() == 2\n"
    )
    # Without care the loader's process waits forever for threads that it does not have.
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=240)
