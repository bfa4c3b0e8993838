"""Download what a later command needs, on a machine with network.

The files lie in the caches of the libraries that read them, so the same command with ``--offline`` finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_manifests.errors import InputError
from pipelines.embed.encoders import fetch_encoder
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.hub import is_address, parse_address
from pipelines.evaluate.trained import TrainedRun, read_run, run_on_hub
from pipelines.hands.model_file import find_weights
from pipelines.train.finished import WEIGHTS


@dataclass(frozen=True)
class FetchedFile:
    """File of weights: what it is of, where it lies, size, sha256.

    ``of`` is an encoder's spec, or a run's address and head.
    """

    of: str
    path: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Fetched:
    """Files of weights, and notes about what is not among them."""

    files: Sequence[FetchedFile]
    notes: Sequence[str]


def fetch(what: str, *, offline: bool = False, file_sha256: Callable[[Path], str] = whole_file_sha256) -> Fetched:
    """Find or download an encoder's weights, a run or a hand model.

    A run comes with its encoders. What is there already is not downloaded again. Of a run the hub is asked for the
    newest version.

    Args:
        what: an encoder's spec; 'hf://owner/repo' or 'hf://owner/repo@revision' for a run; 'hf://owner/repo/file.pt' or
            '….safetensors' for a hand model.
        offline: only look whether all is there.
        file_sha256: returns the sha256 of a file.

    Raises:
        UsageError: neither a spec nor an address, or random weights.
        MissingUpstream: a file is not there, and the network is off or the download failed.
        InputError: the repository has no run or a damaged one, or an encoder's weights are not those of the run.
    """
    if is_address(what) and what.endswith((".pt", ".safetensors")):
        return Fetched([_fetched(what, find_weights(what, offline), file_sha256)], [])
    if not is_address(what):
        files = fetch_encoder(what, offline=offline, file_sha256=file_sha256)
        notes = [] if files else [f"{what}: names no file of weights; it finds them itself"]
        return Fetched([_fetched(what, file, file_sha256) for file in files], notes)
    run = read_run(run_on_hub(parse_address(what), offline=offline, newest=True))
    of_heads = [_fetched(f"{what} {label}", run.folder / label / WEIGHTS, file_sha256) for label in run.heads]
    found = [_encoder_of(run, spec, sha256, offline, file_sha256) for spec, sha256 in _encoders(run).items()]
    return Fetched(
        [*of_heads, *(file for one in found for file in one.files)], [note for one in found for note in one.notes]
    )


def _encoders(run: TrainedRun) -> dict[str, str]:
    """Map the specs of a run's encoders to the sha256 of their weights."""
    return {str(made["spec"]): str(made["weights_sha256"]) for made in run.protocol.vectors.values()}


def _encoder_of(run: TrainedRun, spec: str, sha256: str, offline: bool, file_sha256: Callable[[Path], str]) -> Fetched:
    name = run.config["name"]
    if "=" in spec or ".json" in spec or spec.endswith("/random"):
        return Fetched([], [f"{name}: its encoder {spec} cannot be fetched; xmic predict needs its file: --encoder"])
    found = fetch(spec, offline=offline, file_sha256=file_sha256)
    other = [file for file in found.files if file.sha256 != sha256]
    if other:
        raise InputError(
            f"{other[0].path}: the weights of {spec} have sha256 {other[0].sha256[:12]}…, {name} was trained with "
            f"{sha256[:12]}…. Name the very weights it was trained with: xmic predict --encoder FAMILY:MODEL=FILE"
        )
    return found


def _fetched(of: str, path: Path, file_sha256: Callable[[Path], str]) -> FetchedFile:
    return FetchedFile(of, path, path.stat().st_size, file_sha256(path))
