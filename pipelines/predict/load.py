"""Load a trained run, or an encoder alone, for new footage."""

from __future__ import annotations

from pathlib import Path

from data_manifests.errors import MissingUpstream
from pipelines.chain.executor import Executor, Local
from pipelines.engine.machine import Machine, usable_cores
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import SETTINGS, Workspace
from pipelines.evaluate.trained import TrainedRun, find_run
from pipelines.predict.options import Overrides
from pipelines.predict.run import Predictor
from pipelines.predict.zero_shot import zero_shot_run


def load_run(
    workspace: Path | str,
    name: str | None = None,
    *,
    encoder: str | None = None,
    v2: str | None = None,
    detector: str | None = None,
    weights: Path | str | None = None,
    boxes: Path | str | None = None,
    allow_mixed: bool = False,
    trust: bool = False,
    machine: Machine | None = None,
    policy: RunPolicy | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Predictor:
    """Load a trained run for use on new footage.

    Args:
        workspace: the workspace that the run was trained in; for an exported run, the workspace to work in.
        name: name or folder of the run, also a folder of ``xmic export`` or its address on the Hugging Face hub,
            'hf://owner/repo'; None = the newest run.
        encoder: model spec of the run's encoder, needed if that is a file: a run records the file's name and digest
            only.
        v2: model spec of the second encoder, likewise.
        detector: another hand detector than the run's; needs ``allow_mixed``.
        weights: the detector's weights.
        boxes: a table of hand boxes of the new videos, for a run that was trained on boxes made elsewhere.
        allow_mixed: accept another detector or precision than the run's.
        trust: import the classes that a run from outside the workspace names.
        machine: workers, device, network; None = every core of this process and device 'auto'.
        policy: how many failures are accepted.
        progress: receives each stage; None = silent.
        executor: where frames, boxes and vectors are made; None = here.

    Raises:
        MissingUpstream: there is no such run.
        UsageError: an argument is missing, or is given though the run does not need it.
        InputError: the weights are not the run's, or a run from outside names a class of its own.
    """
    given = Workspace.open(Path(workspace))
    try:
        run = find_run(given, name, offline=machine is not None and machine.offline, trust=trust)
    except MissingUpstream as error:
        if name is not None:
            raise
        raise MissingUpstream(
            f"{error} Or predict without a run: xmic predict VIDEO --encoder SPEC --noun WORD --verb WORD"
        ) from None
    overrides = Overrides(
        encoder,
        v2,
        detector,
        Path(weights) if weights is not None else None,
        Path(boxes) if boxes is not None else None,
        allow_mixed,
    )
    return Predictor(
        run,
        _home(run, given),
        machine or Machine(usable_cores()),
        overrides,
        policy or RunPolicy(),
        progress or Silent(),
        executor or Local(),
    )


def load_zero_shot(
    encoder: str,
    workspace: Path | str = "xmic-work",
    *,
    detector: str | None = None,
    weights: Path | str | None = None,
    boxes: Path | str | None = None,
    machine: Machine | None = None,
    policy: RunPolicy | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Predictor:
    """Load an encoder for zero-shot prediction, which needs no run.

    Words must be given to :meth:`Predictor.predict`. The encoder compares them with full frames, or with hand crops if
    a detector or boxes are given.

    Args:
        encoder: model spec with a text tower, e.g. 'open_clip:ViT-B-16/openai'.
        workspace: folder to work in; frames and vectors are kept in its ``cache/``.
        detector: hand detector, e.g. 'yolo'; None = full frames.
        weights: the detector's weights; None = the packaged model for 'yolo'.
        boxes: a table of hand boxes of the new videos.
        machine: workers, device, network; None = every core of this process and device 'auto'.
        policy: how many failures are accepted.
        progress: receives each stage; None = silent.
        executor: where frames, boxes and vectors are made; None = here.

    Raises:
        MissingUpstream: the weights are not on this machine and may not be downloaded.
        UsageError: an encoder that is none or has no text tower, or options that contradict each other.
        InputError: weights or boxes that are not of their format.
    """
    home = Workspace.open(Path(workspace))
    machine, executor = machine or Machine(usable_cores()), executor or Local()
    overrides = Overrides(
        encoder,
        None,
        detector if detector is not None or boxes is None else "boxes",
        Path(weights) if weights is not None else None,
        Path(boxes) if boxes is not None else None,
    )
    run = zero_shot_run(home, overrides, executor.machine(machine, network=True))
    return Predictor(run, home, machine, overrides, policy or RunPolicy(), progress or Silent(), executor)


def _home(run: TrainedRun, given: Workspace) -> Workspace:
    """Return the workspace of a run.

    A run that is named by its folder may lie in another workspace than the given one. An exported run may lie in none;
    then it is the given one.
    """
    around = run.folder.parent.parent
    return Workspace.open(around) if (around / SETTINGS).is_file() else given
