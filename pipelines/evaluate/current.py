"""Find what an evaluation is made from.

Nothing here imports torch: ``xmic status`` asks for every evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from data_manifests.errors import UsageError
from pipelines.decode.stage import DecodeStage
from pipelines.engine.clips import clips_footer
from pipelines.engine.shards import read_footer
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.options import Control, FrameOrder, Vectors
from pipelines.evaluate.trained import TrainedRun
from pipelines.methods import METHODS, load_method
from pipelines.train.protocol import Protocol, text_file, vector_digests

EVALUATE = "evaluate"
EVALUATE_VERSION = 3

WITH_VECTOR = ("xmic", "late-fusion")
"""Methods of :data:`pipelines.methods.METHODS` that have an X-MIC vector."""


def checked_control(control: Control, config: Mapping[str, Any]) -> Control:
    """Check a control for a run.

    Raises:
        UsageError: a value is unknown, or the run's method has no X-MIC vector.
    """
    for flag, value, known in (
        ("--xmic-vector", control.vectors, get_args(Vectors)),
        ("--frame-order", control.order, get_args(FrameOrder)),
    ):
        if value not in known:
            raise UsageError(f"{flag} {value}: expected {', '.join(known)}")
    if control.vectors != "own" and not _has_vector(config["method"]):
        raise UsageError(
            f"--xmic-vector {control.vectors}: {config['method']} has no X-MIC vector; xmic and late-fusion have one."
        )
    return control


def _has_vector(method: str) -> bool:
    if method in METHODS:
        return method in WITH_VECTOR
    from pipelines.methods.xmic import XMIC

    return issubclass(load_method(method), XMIC)


def evaluation_params(run: TrainedRun, target: Protocol, control: Control) -> dict[str, Any]:
    """Return the parameters: the run, the target's protocol and the control."""
    ordinary = {"run": run.config["key"], "labels": list(run.heads), "protocol": target.as_dict()}
    return {**ordinary, **control.options}


def evaluation_inputs(
    workspace: Workspace, run: TrainedRun, dataset: str, split: str, target: Protocol, frames: DecodeStage
) -> Mapping[str, str]:
    """Return the digests of clips, vectors, class names and weights.

    Raises:
        MissingUpstream: the class names are not embedded.
    """
    inputs = {"clips": clips_footer(workspace, dataset, split).digest}
    inputs |= vector_digests(frames, target)
    for label in run.heads:
        inputs[f"{label} names"] = read_footer(text_file(workspace, dataset, target, label)).digest
        inputs[f"{label} weights"] = workspace.file_digests.whole(run.folder / label / "weights.safetensors")
    return inputs
