"""Read and write xmic's own hand models.

A model is an architecture in YAML beside weights in safetensors; no part of it is code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import yaml

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.plain_errors import in_one_line
from pipelines.hands.packaged import PACKAGED
from pipelines.hands.yolo_checkpoint import Checkpoint, checked_config

HUB = "hf://"
_FORMAT = "xmic hand model 1"
_KEYS = {"format", "weights_sha256", "names", "image_size", "made", "architecture"}


@dataclass(frozen=True)
class HandModel:
    """Content of a hand model: its YAML and its safetensors.

    Attributes:
        checkpoint: architecture, class names and weights.
        image_size: side of the square input that the model was made for, pixels.
        sha256: sha256 of the safetensors.
        made: description of how the model was made, for people.
    """

    checkpoint: Checkpoint
    image_size: int
    sha256: str
    made: dict[str, Any]


def write_model(
    file: Path,
    architecture: Mapping[str, Any],
    names: tuple[str, ...],
    state: Mapping[str, torch.Tensor],
    image_size: int,
    made: Mapping[str, Any],
) -> str:
    """Write a model's weights, and the YAML beside them.

    ``file`` is the .safetensors, float16.

    Returns:
        The sha256 of the weights.
    """
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    with replace_atomically(file) as temporary:
        safetensors.torch.save_file({name: value.contiguous() for name, value in halves.items()}, temporary)
    sha256 = whole_file_sha256(file)
    described = {
        "format": _FORMAT,
        "weights_sha256": sha256,
        "names": list(names),
        "image_size": image_size,
        "made": dict(made),
        "architecture": dict(architecture),
    }
    with replace_atomically(file.with_suffix(".yaml")) as temporary:
        temporary.write_text(yaml.safe_dump(described, sort_keys=False, default_flow_style=None, width=110), "utf-8")
    return sha256


def read_model(file: Path) -> HandModel:
    """Read a hand model of xmic's own.

    It is a .safetensors file with the YAML of the same name beside it.

    Raises:
        InputError: one of the two is missing or damaged, the YAML is of other weights, or its architecture is not
            plain.
    """
    described = file.with_suffix(".yaml")
    for path in (file, described):
        if not path.is_file():
            raise InputError(f"{path}: no such file; a hand model is {file.name} and {described.name} side by side.")
    try:
        content = yaml.safe_load(described.read_text("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{described}: not YAML ({in_one_line(error)}).") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT or set(content) != _KEYS:
        raise InputError(
            f"{described}: not a hand model of xmic; expected format: {_FORMAT}, as xmic hands train writes."
        )
    sha256 = whole_file_sha256(file)
    if content["weights_sha256"] != sha256:
        raise InputError(f"{file}: its sha256 is {sha256[:16]}…, but {described.name} was written for other weights.")
    names, size = content["names"], content["image_size"]
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise InputError(f"{described}: names is {names!r:.80}; expected a list of class names.")
    if not isinstance(size, int) or size < 32 or size % 32:
        raise InputError(f"{described}: image_size is {size!r:.20}; expected a multiple of 32.")
    if not isinstance(content["made"], dict):
        raise InputError(f"{described}: made is {content['made']!r:.80}; expected a table of facts.")
    config = checked_config(described, content["architecture"], len(names))
    try:
        state = safetensors.torch.load_file(file)
    except Exception as error:  # of a damaged header, whatever it is
        raise InputError(f"{file}: not a safetensors file ({error}).") from error
    return HandModel(Checkpoint(config, tuple(names), state, {}), size, sha256, dict(content["made"]))


def find_weights(weights: Path | str | None, offline: bool = False) -> Path:
    """Find the weights file that ``--weights`` names.

    Args:
        weights: a file, or ``hf://owner/repo/file``; None is the model that comes with xmic.
        offline: never use the network; files fetched before are used.

    Raises:
        UsageError: ``weights`` is None, but this copy of xmic has no model; or a Hub name is not of this form.
        MissingUpstream: the Hub's file is not on this machine and cannot be fetched.
    """
    if weights is None:
        if not PACKAGED.is_file():
            raise UsageError(
                "--weights is missing: name an Ultralytics detection model (.pt) with a class 'hand', or a model that "
                "xmic hands train wrote (.safetensors). Without one, go on with full frames: "
                "xmic embed --encoder NAME --streams full."
            )
        return PACKAGED
    # A Path has made one slash of two.
    text = str(weights)
    if not text.startswith("hf:/"):
        return Path(weights)
    parts = text.removeprefix("hf:").strip("/").split("/", 2)
    if len(parts) < 3 or not parts[2].endswith((".pt", ".safetensors")):
        raise UsageError(f"--weights {text}: expected {HUB}owner/repo/file.pt or {HUB}owner/repo/file.safetensors.")
    repository, name = "/".join(parts[:2]), parts[2]
    found = _from_hub(repository, name, offline)
    if name.endswith(".safetensors"):
        _from_hub(repository, str(Path(name).with_suffix(".yaml")), offline)
    return found


def _from_hub(repository: str, name: str, offline: bool) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, name, local_files_only=offline))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise MissingUpstream(
            f"{HUB}{repository}/{name}: not here, and it could not be fetched ({why}). Where there is a network, run "
            f"hf download {repository} {name}, and name the file it prints with --weights."
        ) from error
