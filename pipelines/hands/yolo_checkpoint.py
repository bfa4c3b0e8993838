"""Read an Ultralytics detection checkpoint as data, without running its code.

An Ultralytics ``.pt`` is a pickled network. Unpickling it with the real classes would run code the file chooses, even
when only Ultralytics classes are allowed. A pickle may call a class, and a ``DetectionModel`` evaluates the
``activation`` text of the configuration it is called with.

So every name that a detection checkpoint is known to need is bound to a stand-in that only remembers its state. Torch's
restricted unpickler (``weights_only=True``) refuses every other name. The network is built again from the checkpoint's
own checked configuration and tensors (:mod:`pipelines.hands.yolo_network`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_manifests.errors import InputError

_TORCH_LAYERS = {
    "activation": "ELU GELU Hardswish LeakyReLU Mish ReLU ReLU6 SiLU",
    "batchnorm": "BatchNorm2d",
    "container": "ModuleList Sequential",
    "conv": "Conv2d ConvTranspose2d",
    "linear": "Identity",
    "loss": "BCEWithLogitsLoss",
    "padding": "ZeroPad2d",
    "pooling": "MaxPool2d",
    "upsampling": "Upsample",
}
_ULTRALYTICS_LAYERS = {
    "block": "A2C2f AAttn ABlock AConv ADown Attention Bottleneck C2 C2PSA C2f C2fCIB C3 C3Ghost C3k C3k2 CBFuse "
    "CBLinear CIB DFL ELAN1 GhostBottleneck PSA PSABlock RepBottleneck RepCSP RepNCSPELAN4 RepVGGDW SCDown Silence "
    "SPP SPPELAN SPPF",
    "conv": "Concat Conv DWConv GhostConv RepConv",
    "head": "Detect v10Detect",
}
_LOSSES = "BboxLoss DFLoss E2EDetectLoss E2ELoss v10DetectLoss v8DetectionLoss"
_ROOTS = ("ultralytics.nn.tasks.DetectionModel", "ultralytics.nn.tasks.YOLOv10DetectionModel")

KNOWN_GLOBALS = frozenset(
    [f"torch.nn.modules.{module}.{name}" for module, names in _TORCH_LAYERS.items() for name in names.split()]
    + [
        f"ultralytics.nn.modules.{module}.{name}"
        for module, names in _ULTRALYTICS_LAYERS.items()
        for name in names.split()
    ]
    # Checkpoints of Ultralytics 8.0.0 to 8.0.40, when all layers were in one file.
    + [f"ultralytics.nn.modules.{name}" for names in _ULTRALYTICS_LAYERS.values() for name in names.split()]
    + [f"ultralytics.utils.loss.{name}" for name in _LOSSES.split()]
    + list(_ROOTS)
    + [
        "builtins.getattr",  # bound methods saved by early YOLO11 trainers
        "numpy._core.multiarray.scalar",
        "numpy.core.multiarray.scalar",
        "numpy.dtype",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "pathlib._local.PosixPath",
        "pathlib._local.WindowsPath",
        "ultralytics.utils.IterableSimpleNamespace",
        "ultralytics.utils.tal.TaskAlignedAssigner",
        "ultralytics.yolo.utils.IterableSimpleNamespace",
    ]
)
"""Every name an Ultralytics detection checkpoint may mention; all are bound to stand-ins."""

_OTHER_TASKS = {
    "SegmentationModel": "a segmentation model",
    "PoseModel": "a pose model",
    "ClassificationModel": "a classification model",
    "OBBModel": "an oriented-box model",
    "RTDETRDetectionModel": "an RT-DETR model",
    "WorldModel": "a YOLO-World model",
    "YOLOEModel": "a YOLOE model",
    "YOLOESegModel": "a YOLOE model",
    "DetectionModel": "a YOLOv5 model of before Ultralytics 8",
}
_LAYERS = frozenset(
    {name for names in _ULTRALYTICS_LAYERS.values() for name in names.split()}
    | {f"nn.{name}" for name in ("ConvTranspose2d", "Identity", "MaxPool2d", "Upsample", "ZeroPad2d")}
)
_CONFIG_KEYS = "nc scale scales depth_multiple width_multiple activation end2end reg_max inplace backbone head".split()
_WORDS = frozenset(["nc", "None", "True", "False", "nearest", "bilinear"])
# Ultralytics evaluates this text as Python, so nothing but one plain constructor call may pass.
_ACTIVATION = re.compile(r"(torch\.)?nn\.(ELU|GELU|Hardswish|LeakyReLU|Mish|ReLU6?|SiLU|Identity)\([0-9.]*\)")
_MAX_DEPTH = 40
_LARGEST = 10_000  # pixels
_MAX_LAYERS = 20_000
_ACCEPTED = "Only Ultralytics detection checkpoints (YOLOv3 to YOLO26, as saved by its trainer) are accepted."


@dataclass(frozen=True)
class Checkpoint:
    """Content of a detection checkpoint: configuration, class names and weights.

    Attributes:
        config: the model's YAML, checked: known layers, plain arguments.
        names: class names in index order.
        state: parameters and buffers by dotted name, as stored (usually float16).
        layers: class name of every submodule by dotted name; empty where the file does not give them.
        image_size: side of the input that it was trained with, pixels; None where the file does not give it.
    """

    config: dict[str, Any]
    names: tuple[str, ...]
    state: dict[str, torch.Tensor]
    layers: dict[str, str]
    image_size: int | None = None


class _StandIn:
    """Stand-in for a pickled object: it remembers its state and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _StandIn:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read an Ultralytics detection checkpoint.

    Raises:
        InputError: there is no such file, or it is not a torch archive. Or it mentions a name that no Ultralytics
            detection checkpoint needs, is a model of another task, or its configuration is not plain.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such weights file. Train a hand detector with Ultralytics (one class named 'hand'), "
            f"or name an existing .pt file."
        )
    content = _load(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no checkpoint dictionary. {_ACCEPTED}")
    model = content.get("ema") or content.get("model")
    if not isinstance(model, _StandIn) or type(model).__name__ not in _ROOTS:
        raise InputError(f"{path}: has no detection model under 'ema' or 'model'. {_ACCEPTED}")
    names = _class_names(path, model.state.get("names"))
    state: dict[str, torch.Tensor] = {}
    layers: dict[str, str] = {}
    _collect(path, model, "", state, layers)
    size = _image_size(path, content.get("train_args"))
    return Checkpoint(checked_config(path, model.state.get("yaml"), len(names)), names, state, layers, size)


def _load(path: Path) -> Any:
    with _no_safe_globals():
        try:
            needed = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except Exception as error:  # as below
            raise InputError(f"{path}: not a PyTorch checkpoint ({_first_line(error)}). {_ACCEPTED}") from error
        _refuse_unknown(path, sorted(needed - KNOWN_GLOBALS))
        stand_ins: list[Any] = [(type(name, (_StandIn,), {}), name) for name in sorted(needed)]
        try:
            with torch.serialization.safe_globals(stand_ins):
                return torch.load(path, map_location="cpu", weights_only=True)
        # A hostile pickle can make the unpickler fail in any way; none of them may look like a bug of ours.
        except Exception as error:
            raise InputError(f"{path}: cannot be read ({_first_line(error)}). {_ACCEPTED}") from error


def _refuse_unknown(path: Path, unknown: list[str]) -> None:
    for name in unknown:
        task = _OTHER_TASKS.get(name.rpartition(".")[2])
        if task:
            raise InputError(f"{path}: is {task} ({name}); hands need a detection model. {_ACCEPTED}")
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise InputError(
            f"{path}: refused, because loading it needs {unknown[0]}{more}, which could run code from the file. "
            f"{_ACCEPTED}"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _no_safe_globals() -> Iterator[None]:
    # What the process allowed before (Ultralytics itself registers its real classes) is put aside: two entries
    # of one name would leave it to chance which is taken.
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _class_names(path: Path, names: Any) -> tuple[str, ...]:
    if isinstance(names, dict) and names.keys() == set(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: has no list of class names. {_ACCEPTED}")
    return tuple(names)


def _image_size(path: Path, arguments: Any) -> int | None:
    """Return the size that the trainer wrote, as Ultralytics rounds it up: a multiple of 32."""
    written = _dict(arguments).get("imgsz")
    sides = written if isinstance(written, list | tuple) else [] if written is None else [written]
    if not all(isinstance(side, int | float) and 1 <= side <= _LARGEST for side in sides):
        raise InputError(f"{path}: its training image size is {written!r:.60}. Say the size with --image-size.")
    return max((32 * math.ceil(side / 32) for side in sides), default=None)


def _collect(path: Path, module: _StandIn, prefix: str, state: dict[str, torch.Tensor], layers: dict[str, str]) -> None:
    if prefix.count(".") > _MAX_DEPTH or len(layers) > _MAX_LAYERS:
        raise InputError(f"{path}: more than {_MAX_DEPTH} levels or {_MAX_LAYERS} layers. {_ACCEPTED}")
    layers[prefix.rstrip(".")] = type(module).__name__.rpartition(".")[2]
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _dict(module.state.get(kind)).items():
            if isinstance(tensor, torch.Tensor):
                state[f"{prefix}{name}"] = tensor.detach()
    for name, child in _dict(module.state.get("_modules")).items():
        if isinstance(child, _StandIn):
            _collect(path, child, f"{prefix}{name}.", state, layers)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def checked_config(path: Path, config: Any, classes: int) -> dict[str, Any]:
    """Check that a model's configuration is plain and of known layers.

    Args:
        path: the file of the configuration, for error messages.
        config: the configuration as read.
        classes: number of class names.

    Returns:
        The keys that Ultralytics needs to build the model.

    Raises:
        InputError: the configuration could run code, or is not one of a detection model.
    """
    if not isinstance(config, dict) or not all(
        isinstance(config.get(part), list) and config[part] for part in ("backbone", "head")
    ):
        raise InputError(f"{path}: the model carries no configuration (yaml) to build it from. {_ACCEPTED}")
    for row in config["backbone"] + config["head"]:
        if not (isinstance(row, list) and len(row) == 4 and isinstance(row[3], list) and _is_plain(row)):
            raise InputError(f"{path}: a layer of the model's configuration is not plain: {row!r:.120}. {_ACCEPTED}")
        if not isinstance(row[2], str) or row[2] not in _LAYERS:
            raise InputError(f"{path}: the model's configuration has the layer {row[2]!r:.60}. {_ACCEPTED}")
    if config["head"][-1][2] not in ("Detect", "v10Detect"):
        raise InputError(f"{path}: the model ends in {config['head'][-1][2]}, not in a detection head. {_ACCEPTED}")
    activation = config.get("activation")
    if activation and not (isinstance(activation, str) and _ACTIVATION.fullmatch(activation)):
        raise InputError(f"{path}: the model's activation is {activation!r:.60}, not a plain one. {_ACCEPTED}")
    if config.get("channels", config.get("ch", 3)) != 3:
        raise InputError(f"{path}: the model wants {config.get('channels', config.get('ch'))} channels, frames have 3.")
    if config.get("nc") != classes:
        raise InputError(f"{path}: {classes} class names for {config.get('nc')!r:.20} classes. {_ACCEPTED}")
    checked = {key: config[key] for key in _CONFIG_KEYS if key in config}
    if not _is_plain([value for key, value in checked.items() if key not in ("activation", "scale", "scales")]):
        raise InputError(f"{path}: the model's configuration is not plain. {_ACCEPTED}")
    return checked


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, str):
        return value in _WORDS or value in _LAYERS
    return value is None or isinstance(value, bool | int | float)
