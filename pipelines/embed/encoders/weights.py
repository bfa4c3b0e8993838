"""Find weights files and read them as plain tensors.

The local caches come first, then the hub, unless the network is off.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from data_manifests.errors import InputError, MissingUpstream

_SHOWN = 3


def hub_file(repository: str, names: Sequence[str], what: str, *, offline: bool) -> Path:
    """Find or download a weights file of a Hugging Face repository.

    Args:
        repository: 'owner/name'.
        names: file names in order of preference.
        what: the model spec, for messages.
        offline: look in the cache only.

    Raises:
        MissingUpstream: the file is not cached, and the network is off or the download failed.
    """
    for name in names:
        cached = try_to_load_from_cache(repository, name)
        if isinstance(cached, str):
            return Path(cached)
    # Called from Python: the command-line client's name differs between versions.
    call = f"from huggingface_hub import snapshot_download as fetch; fetch('{repository}', allow_patterns={[*names]})"
    where = f"its weights ({' or '.join(names)} of {repository}) are not in {constants.HF_HUB_CACHE}"
    folder = f"models--{repository.replace('/', '--')}"
    then = (
        f'On a machine with network run: python -c "{call}"; then copy {folder} from its cache into '
        f"{constants.HF_HUB_CACHE} here, or name the file: FAMILY:MODEL=FILE."
    )
    if offline:
        raise MissingUpstream(f"{what}: {where}, and --offline forbids the network. {then}")
    problem: Exception | None = None
    for name in names:
        try:
            return Path(hf_hub_download(repository, name))
        except Exception as error:  # the hub's client raises a dozen kinds; each means the next name or none
            problem = error
    raise MissingUpstream(f"{what}: {where} and could not be fetched ({problem}). {then}")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a weights file.

    The file is safetensors, or a PyTorch file that holds nothing but tensors and plain values. Pickled code is never
    run. A state dict inside a training checkpoint ('state_dict' or 'model') is taken out. The prefix 'module.' of
    data-parallel training is cut off if every name has it.

    Raises:
        InputError: the file is of another kind or holds no named tensors.
    """
    return state_dict_in(read_content(path), path)


def read_content(path: Path, allowed: Sequence[type] = ()) -> Any:
    """Read the content of a weights file without running code in it.

    Tensors of a zipped PyTorch file are read from the disk when they are used.

    Args:
        path: the file, safetensors or PyTorch's.
        allowed: classes that a PyTorch file may hold besides tensors and plain values.

    Raises:
        InputError: the file is of another kind; the text names what else it holds.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, "cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        other = re.search(r"GLOBAL (\S+)", str(error))
        problem = f"it holds {other[1]}" if other else " ".join(str(error).split())[:200]
        expected = "".join(f" and {item.__module__}.{item.__qualname__}" for item in allowed)
        raise InputError(
            f"{path}: not readable as plain weights ({problem}). Expected .safetensors, or a PyTorch state dict with "
            f"nothing but tensors, plain values{expected}; TorchScript archives and pickled models are refused."
            + (_how_to_convert(path) if other else "")
        ) from error


def _how_to_convert(path: Path) -> str:
    """Say how to convert a checkpoint that holds more than tensors.

    The user's own Python runs the pickled code; xmic never does.
    """
    return (
        " If you trust whoever made the file, keep its tensors alone, which runs the code pickled in it, and name the "
        "new file instead:\n"
        f"  import torch, safetensors.torch; found = torch.load({str(path)!r}, 'cpu', weights_only=False)\n"
        "  safetensors.torch.save_file({k: v.contiguous().clone() for k, v in found['state_dict'].items()}, "
        f"{str(path.with_suffix('.safetensors'))!r})"
    )


def state_dict_in(content: Any, path: Path) -> dict[str, Tensor]:
    """Take the named tensors out of what :func:`read_content` read.

    Raises:
        InputError: there are none.
    """
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path}: holds no named tensors. Expected a state dict.")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def load_strict(network: torch.nn.Module, state: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Load weights into a network, refusing other names or shapes.

    Args:
        network: the network; its tensors keep their precision.
        state: tensors by name.
        path: the file of the tensors, for messages.
        what: the model's name, for messages.

    Raises:
        InputError: names or shapes differ; the text gives the first few.
    """
    own = network.state_dict()
    shapes = [
        f"{name} {list(state[name].shape)} for {list(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    wrong = [
        _some("missing", [name for name in own if name not in state]),
        _some("not of this model", [name for name in state if name not in own]),
        _some("of another shape", shapes),
    ]
    if any(wrong):
        raise InputError(
            f"{path}: not the weights of {what}: {'; '.join(text for text in wrong if text)}. "
            "Name the model these weights were made for."
        )
    network.load_state_dict(dict(state))


def _some(problem: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{problem}: {', '.join(names[:_SHOWN])}{more}" if names else ""
