"""Save and load a head: its weights and its training state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from data_manifests.errors import InputError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.engine.training_state import read_state, write_state
from pipelines.methods.base import Method
from pipelines.train.optim import load_state

STATE = "state.pt"


@dataclass
class TrainProgress:
    """Progress of a training, counted in epochs and steps.

    Attributes:
        epoch: the current epoch, from 0.
        step: number of steps made in this epoch.
        loss_sum: sum of the losses of this epoch's clips so far.
        correct: number of these clips that were classified correctly.
        clips: number of these clips.
        lines: the lines of ``metrics.jsonl`` of the epochs before.
        kept: the trained tensors after the best of these epochs, if an epoch is chosen by an accuracy; else empty.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    clips: int = 0
    lines: list[str] = field(default_factory=list)
    kept: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """State of a training, saved to and restored from ``state.pt``.

    Attributes:
        folder: the head's folder.
        identity: key, label and method name; a state of another identity is refused.
        method: the method whose tensors are saved.
        optimiser: saved with its running averages.
        device: where the training runs.
    """

    folder: Path
    identity: Mapping[str, str]
    method: Method
    optimiser: torch.optim.Optimizer
    device: torch.device

    def save(self, place: TrainProgress) -> None:
        """Write the state, replacing the one before."""
        state = {
            "identity": dict(self.identity),
            "place": asdict(place),
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": torch.get_rng_state(),
            "device_generator": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "threads": torch.get_num_threads(),
            "device": self.device.type,
        }
        write_state(self.folder / STATE, state)

    def restore(self, progress: Progress) -> TrainProgress | None:
        """Restore tensors, optimiser, random generators and thread count.

        Returns:
            The progress at which the training resumes; None if there is no state.

        Raises:
            InputError: the state is damaged, of another training, or of other tensors.
        """
        path = self.folder / STATE
        if not path.is_file():
            return None
        state = read_state(path)
        try:
            found, place, threads = state["identity"], TrainProgress(**state["place"]), state["threads"]
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path} is no state of a training ({error!r}). Remove it to train from the start."
            ) from error
        _refuse_other(path, found, self.identity)
        _copy_into(self.method.state_dict(), state["method"], path)
        load_state(self.optimiser, state["optimiser"])
        torch.set_rng_state(state["generator"])
        if self.device.type == "cuda" and state["device_generator"] is not None:
            torch.cuda.set_rng_state(state["device_generator"], self.device)
        if state["device"] != self.device.type:
            progress.note(
                f"trained on {state['device']} so far, now on {self.device.type}: the weights will not be "
                "byte-identical to an uninterrupted training's"
            )
        if threads != torch.get_num_threads():
            progress.note(
                f"going on with {threads} threads as before, not the {torch.get_num_threads()} of this "
                "machine: another number rounds sums differently"
            )
            torch.set_num_threads(threads)
        return place


def trained_tensors(method: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trained parameters of a method, by name."""
    return {name: tensor for name, tensor in method.named_parameters() if tensor.requires_grad}


def saved_tensors(method: Method) -> dict[str, Tensor]:
    """Return the tensors of a weights file: trained parameters and random buffers.

    Random buffers were drawn at random and are not trained.
    """
    return {**trained_tensors(method), **method.random_buffers()}


def write_weights(path: Path, tensors: Mapping[str, Tensor], identity: Mapping[str, str]) -> None:
    """Write a safetensors file; equal tensors and identity give equal bytes."""
    blob = safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    # The library orders metadata differently in every process, so the header is completed here.
    size = int.from_bytes(blob[:8], "little")
    header = {"__metadata__": dict(sorted(identity.items())), **json.loads(blob[8 : 8 + size])}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with replace_atomically(path) as temporary:
        temporary.write_bytes(len(encoded).to_bytes(8, "little") + encoded + blob[8 + size :])


def load_weights(method: Method, path: Path) -> dict[str, str]:
    """Load trained weights into a method of the same configuration.

    Returns:
        The file's metadata: method, label and key.

    Raises:
        InputError: the file is missing or damaged, of another method, or holds other tensors than the method saves.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: cannot read the weights ({error}). Run the same xmic train again.") from error
    if metadata.get("method") != method.name:
        raise InputError(
            f"{path}: the weights are of method {metadata.get('method')}, expected {method.name}. "
            "Methods may have tensors of the same names and shapes; they are not exchanged."
        )
    _copy_into(saved_tensors(method), tensors, path)
    return metadata


def is_finished(path: Path, identity: Mapping[str, str], progress: Progress) -> bool:
    """Return True if there is a readable weights file of this training.

    A damaged file counts as none; this is reported.

    Raises:
        InputError: the file is of another training.
    """
    if not path.is_file():
        return False
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            found = file.metadata() or {}
    except safetensors.SafetensorError as error:
        progress.note(f"{path} is damaged ({error}); training this head again")
        return False
    _refuse_other(path, found, identity)
    return True


def _copy_into(own: Mapping[str, Tensor], saved: Mapping[str, Tensor], path: Path) -> None:
    for name in sorted({*own, *saved}):
        ours, theirs = (list(t[name].shape) if name in t else "none" for t in (own, saved))
        if ours != theirs:
            raise InputError(
                f"{path}: tensor {name} has shape {theirs} there and {ours} in the method as configured now. "
                "Use the configuration, encoder and code it was trained with."
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(saved[name])


def _refuse_other(path: Path, found: Mapping[str, Any], identity: Mapping[str, str]) -> None:
    for name in ("method", "label", "key"):
        if found.get(name) != identity[name]:
            raise InputError(
                f"{path} is of {name} {found.get(name)}, this training is of {name} {identity[name]}. "
                "It is not overwritten: train into another run, or remove that folder."
            )
