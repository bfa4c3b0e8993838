"""Write and read the state of a training, with a digest."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.engine.sealed import read_sealed, write_sealed


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state of tensors and plain values, replacing the one before."""
    import torch

    content = io.BytesIO()
    torch.save(dict(state), content)
    write_sealed(path, content.getvalue())


def read_state(path: Path) -> dict[str, Any]:
    """Read a state, with its tensors on the CPU.

    No code in it is run.

    Raises:
        InputError: the file is not what was written.
    """
    import torch

    try:
        state = torch.load(io.BytesIO(read_sealed(path)), map_location="cpu", weights_only=True)
        return {**state}
    except (OSError, MemoryError):  # the machine's fault, not the state's
        raise
    except Exception as error:  # torch passes on any error of its unpickler
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {' '.join(str(error).split())[:100]}). "
            "Remove it to train from the start."
        ) from error
