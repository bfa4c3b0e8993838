"""Read weights files as plain tensors, and load them into networks."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from data_manifests.errors import InputError
from pipelines.embed.encoders.openai_files import model_published_as
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.plain_errors import in_one_line

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys of training checkpoints under which a state dict lies, in the order in which they are looked for."""

PREFIXES = ("module.", "_orig_mod.")
"""What data-parallel training and torch.compile put before every name."""

_SHOWN = 3


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a weights file.

    The file is safetensors, or a PyTorch file that holds nothing but tensors and plain values, or one of the
    TorchScript files that OpenAI published. Pickled code is never run. A state dict inside a training checkpoint is
    taken out (see :func:`state_dict_in`).

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
        if _is_torchscript(path):
            return _published_torchscript(path)
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, "cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except InputError:
        raise
    # A damaged or hostile file can make the unpickler fail in any way; none of them may look like a bug of ours.
    except Exception as error:
        other = re.search(r"GLOBAL (\S+)", str(error))
        problem = f"it holds {other[1]}" if other else in_one_line(error)
        expected = "".join(f" and {item.__module__}.{item.__qualname__}" for item in allowed)
        read = f"torch.load({str(path)!r}, 'cpu', weights_only=False)"
        raise InputError(
            f"{path}: not readable as plain weights ({problem}). Expected .safetensors, or a PyTorch state dict with "
            f"nothing but tensors, plain values{expected}; pickled models are refused."
            + (_how_to_convert(path, f"found = {read}; state = found['state_dict']") if other else "")
        ) from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _published_torchscript(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a TorchScript archive that OpenAI published; refuse any other, which is a program."""
    sha256 = whole_file_sha256(path)
    if model_published_as(sha256) is None:
        read = f"state = torch.jit.load({str(path)!r}, 'cpu').state_dict()"
        raise InputError(
            f"{path}: a TorchScript archive, which is a program, and not one of those that OpenAI published (sha256 "
            f"{sha256}). Expected .safetensors or a PyTorch state dict." + _how_to_convert(path, read)
        )
    try:
        return dict(torch.jit.load(str(path), "cpu").state_dict())
    except RuntimeError as error:
        raise InputError(f"{path}: PyTorch cannot read this archive ({' '.join(str(error).split())[:200]}).") from error


def _how_to_convert(path: Path, read: str) -> str:
    """Say how to convert a file that holds more than tensors.

    The user's own Python runs the code in it; xmic never does.
    """
    return (
        " If you trust whoever made the file, keep its tensors alone, which runs the code in it, and name the new file "
        f"instead:\n  import torch, safetensors.torch; {read}\n"
        "  safetensors.torch.save_file({k: v.contiguous().clone() for k, v in state.items()}, "
        f"{str(path.with_suffix('.safetensors'))!r})"
    )


def state_dict_in(content: Any, path: Path) -> dict[str, Tensor]:
    """Take the named tensors out of what :func:`read_content` read.

    A state dict may lie in a training checkpoint, under one of :data:`WRAPPERS`. Prefixes of wrapped networks are cut
    off where every name has them.

    Raises:
        InputError: there are none; the text names the keys that are there.
    """
    while isinstance(content, dict) and not _has_tensors(content):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, dict) or not _has_tensors(content):
        keys = f"the keys {', '.join(map(str, list(content)[:8]))}" if isinstance(content, dict) else "no names at all"
        raise InputError(
            f"{path}: holds no named tensors, but {keys}. Expected a state dict, alone or under "
            f"{', '.join(map(repr, WRAPPERS))}. Save that part alone: torch.save(found[KEY], FILE)."
        )
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    odd = [name for name, value in state.items() if value.layout != torch.strided or value.is_quantized]
    if odd:
        raise InputError(f"{path}: {_some('sparse or quantised', odd)}. Expected plain tensors.")
    while prefix := next((one for one in PREFIXES if all(name.startswith(one) for name in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _has_tensors(content: dict[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in content.values())


def load_strict(
    network: torch.nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    what: str,
    near: Callable[[], Sequence[str]] = tuple,
) -> None:
    """Load weights into a network, refusing what does not fit.

    Args:
        network: the network; its tensors keep their precision.
        state: tensors by name.
        path: the file of the tensors, for messages.
        what: the model's name, for messages.
        near: finds the names of models that the tensors fit; called where they do not fit this one.

    Raises:
        InputError: names or shapes differ, or a value is not finite; the text gives the first few.
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
            f"Name the model these weights were made for{_fitting(near())}."
        )
    broken = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise InputError(
            f"{path}: {_some('not finite', broken)}. Expected numbers: get the file again, or train it again."
        )
    network.load_state_dict(dict(state))


def _some(problem: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{problem}: {', '.join(names[:_SHOWN])}{more}" if names else ""


def _fitting(names: Sequence[str]) -> str:
    return f"; they fit {' or '.join(names[:_SHOWN])}" if names else ""
