from __future__ import annotations

import os
import pickle
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError
from pipelines.hands.yolo import YoloDetector
from pipelines.hands.yolo_checkpoint import KNOWN_GLOBALS, read_checkpoint
from pipelines.hands.yolo_network import build_network, import_ultralytics

ONLY = "Only Ultralytics detection checkpoints (YOLOv3 to YOLO26, as saved by its trainer) are accepted."


@pytest.fixture(scope="session")
def network() -> Any:
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with torch.random.fork_rng(devices=[]):
        made = tasks.DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    made.names = {0: "hand"}
    return made


def save(path: Path, model: Any, **extra: Any) -> Path:
    torch.save({"model": model, "ema": None, **extra}, path)
    return path


class RunsOnLoad:
    """What an attacker puts into a checkpoint: unpickling it calls a function with arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_a_checkpoint_that_runs_a_command_is_refused_and_the_command_not_run(tmp_path: Path, network: Any) -> None:
    trace = tmp_path / "ran"
    path = save(tmp_path / "w.pt", network, note=RunsOnLoad(os.system, f"touch {trace}"))
    with pytest.raises(InputError) as error:
        read_checkpoint(path)
    assert f"{path}: refused, because loading it needs {os.name}.system, which could run code" in str(
        error.value
    ).replace("posix.system", f"{os.name}.system")
    assert ONLY in str(error.value)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # the attack is real: loading without care runs it
    assert trace.exists()


@pytest.mark.parametrize("function", [eval, exec, __import__, open])
def test_no_builtin_is_called(tmp_path: Path, function: Any, network: Any) -> None:
    path = save(tmp_path / "w.pt", network, note=RunsOnLoad(function, "print('x')"))
    with pytest.raises(InputError, match=f"needs (builtins|_?io).{function.__name__}"):
        read_checkpoint(path)


def test_calling_an_allowed_ultralytics_class_runs_nothing(tmp_path: Path, network: Any) -> None:
    trace = tmp_path / "ran"
    attack = f"[__import__('pathlib').Path({str(trace)!r}).touch(), torch.nn.ReLU()][1]"
    config = {**deepcopy(network.yaml), "activation": attack}
    tasks = import_ultralytics("ultralytics.nn.tasks")
    path = save(tmp_path / "w.pt", network, note=RunsOnLoad(tasks.DetectionModel, config, 3, 1, False))
    YoloDetector(path, image_size=64).detect([])
    build_network(path, read_checkpoint(path), end_to_end=False)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_a_configuration_that_would_be_evaluated_is_refused(tmp_path: Path, network: Any) -> None:
    trace = tmp_path / "ran"
    hostile = deepcopy(network)
    hostile.yaml["activation"] = f"[__import__('pathlib').Path({str(trace)!r}).touch(), torch.nn.ReLU()][1]"
    path = save(tmp_path / "w.pt", hostile)
    with pytest.raises(InputError, match=r"the model's activation is .* not a plain one"):
        read_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows[0].__setitem__(2, "TorchVision"), "configuration has the layer 'TorchVision'|is not plain"),
        (lambda rows: rows[0].__setitem__(2, "nn.Linear"), "is not plain"),
        (lambda rows: rows[0][3].append("__import__"), "is not plain"),
        (lambda rows: rows[0][3].append({"a": 1}), "is not plain"),
        (lambda rows: rows[0].pop(), "is not plain"),
        (lambda rows: rows[0].__setitem__(2, "Detect nc"), "is not plain"),
    ],
)
def test_only_known_layers_with_plain_arguments_are_built(tmp_path: Path, network: Any, change: Any, text: str) -> None:
    hostile = deepcopy(network)
    change(hostile.yaml["backbone"])
    with pytest.raises(InputError, match=text):
        read_checkpoint(save(tmp_path / "w.pt", hostile))


def test_the_stand_ins_are_gone_after_reading_and_what_was_allowed_before_is_back(tmp_path: Path, network: Any) -> None:
    path = save(tmp_path / "w.pt", network)
    real = type(network.model[0])
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals([real])
    try:
        assert read_checkpoint(path).layers["model.0"] == "Conv"
        assert set(torch.serialization.get_safe_globals()) == {*before, real}
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def test_what_the_process_allows_elsewhere_is_not_allowed_here(tmp_path: Path, network: Any) -> None:
    path = save(tmp_path / "w.pt", network, note=Fraction(1, 2))
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals([Fraction])
    try:
        with pytest.raises(InputError, match=r"needs fractions\.Fraction, which could run code"):
            read_checkpoint(path)
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no such weights file. Train a hand detector with Ultralytics"):
        read_checkpoint(tmp_path / "hands.pt")


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    for content in (b"", b"GIF89a", pickle.dumps(RunsOnLoad(os.system, "touch /nowhere/x"))):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a PyTorch checkpoint"):
            read_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="holds no checkpoint dictionary"):
        read_checkpoint(path)
    torch.save({"model": {"weight": torch.zeros(1)}}, path)
    with pytest.raises(InputError, match="has no detection model under 'ema' or 'model'"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("kind", "config", "text"),
    [
        ("SegmentationModel", "yolo11n-seg.yaml", "a segmentation model"),
        ("PoseModel", "yolo11n-pose.yaml", "a pose model"),
        ("ClassificationModel", "yolo11n-cls.yaml", "a classification model"),
    ],
)
def test_models_of_other_tasks_are_named_as_such(tmp_path: Path, kind: str, config: str, text: str) -> None:
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with torch.random.fork_rng(devices=[]):
        path = save(tmp_path / "w.pt", getattr(tasks, kind)(config, verbose=False))
    with pytest.raises(InputError, match=f"is {text} .*{kind}.*hands need a detection model"):
        read_checkpoint(path)


def test_names_and_number_of_classes_must_agree(tmp_path: Path, network: Any) -> None:
    wrong = deepcopy(network)
    wrong.names = {0: "hand", 1: "cup"}
    with pytest.raises(InputError, match="2 class names for 1 classes"):
        read_checkpoint(save(tmp_path / "w.pt", wrong))
    wrong.names = None
    with pytest.raises(InputError, match="has no list of class names"):
        read_checkpoint(save(tmp_path / "w.pt", wrong))


def test_weights_that_are_not_of_their_configuration_are_refused(tmp_path: Path, network: Any) -> None:
    other = deepcopy(network)
    other.yaml["activation"] = "nn.ReLU()"
    path = save(tmp_path / "w.pt", other)
    with pytest.raises(InputError, match=r"layer \S+ is SiLU in the file and ReLU in the installed Ultralytics"):
        build_network(path, read_checkpoint(path), end_to_end=False)
    other = deepcopy(network)
    del other.model[0].bn._parameters["weight"]
    path = save(tmp_path / "w.pt", other)
    with pytest.raises(InputError, match=r"Missing key\(s\).*model.0.bn.weight"):
        build_network(path, read_checkpoint(path), end_to_end=False)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, network: Any) -> None:
    broken = deepcopy(network)
    broken.model[0].conv.weight.data[0] = float("nan")
    path = save(tmp_path / "w.pt", broken)
    with pytest.raises(InputError, match=r"w\.pt: 1 weights are not finite \(model\.0\.conv\.weight"):
        build_network(path, read_checkpoint(path), end_to_end=False)


def test_the_running_average_is_preferred(tmp_path: Path, network: Any) -> None:
    other = deepcopy(network)
    other.names = {0: "left hand"}
    path = tmp_path / "w.pt"
    torch.save({"model": network, "ema": other}, path)
    assert read_checkpoint(path).names == ("left hand",)


def test_training_leftovers_of_a_checkpoint_do_not_matter(tmp_path: Path, network: Any) -> None:
    utils = import_ultralytics("ultralytics.utils")
    trained = deepcopy(network)
    trained.args = utils.IterableSimpleNamespace(task="detect", save_dir=tmp_path)
    path = save(tmp_path / "w.pt", trained, best_fitness=np.float64(0.5), train_args={"save_dir": tmp_path})
    assert read_checkpoint(path).names == ("hand",)


@pytest.mark.parametrize("config", ["yolov5n.yaml", "yolov8n.yaml", "yolov9t.yaml", "yolov10n.yaml", "yolo12n.yaml"])
def test_every_generation_of_detection_models_is_read_and_rebuilt(tmp_path: Path, config: str) -> None:
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with torch.random.fork_rng(devices=[]):
        made = tasks.DetectionModel(config, nc=1, verbose=False)
    made.names = {0: "hand"}
    path = save(tmp_path / "w.pt", made.half())
    checkpoint = read_checkpoint(path)
    built = build_network(path, checkpoint, end_to_end=False)
    with torch.inference_mode():
        assert built(torch.zeros(1, 3, 64, 64))[0].shape[:2] == (1, 5)


def test_no_known_global_can_do_anything(tmp_path: Path) -> None:
    assert not {name for name in KNOWN_GLOBALS if name.startswith(("os.", "posix.", "subprocess.", "sys."))}
    path = tmp_path / "w.pt"
    torch.save({"model": RunsOnLoad(getattr, "text", "upper")}, path)
    with pytest.raises(InputError, match="has no detection model"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [({"imgsz": 320}, 320), ({"imgsz": 333}, 352), ({"imgsz": [320, 416]}, 416), ({}, 640), (None, 640)],
)
def test_a_checkpoint_runs_at_the_size_it_was_trained_at(
    tmp_path: Path, network: Any, arguments: dict[str, Any] | None, size: int
) -> None:
    path = save(tmp_path / "w.pt", network, train_args=arguments)
    detector = YoloDetector(path)
    assert detector.provenance["image_size"] == size
    assert f"-{size}-" in detector.slug
    assert YoloDetector(path, image_size=640).provenance["image_size"] == 640


def test_a_size_that_is_none_is_refused_with_the_option(tmp_path: Path, network: Any) -> None:
    for wrong in ("big", 0, [320, -1]):
        path = save(tmp_path / "w.pt", network, train_args={"imgsz": wrong})
        with pytest.raises(InputError, match=r"w\.pt: its training image size is .*Say the size with --image-size"):
            YoloDetector(path)
