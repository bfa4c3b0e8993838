"""Find the evaluations that the finished runs of a workspace lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine.inspection import State, inspect
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import METRICS
from pipelines.evaluate.stage import EvaluateStage
from pipelines.evaluate.trained import TrainedRun, find_run, targets_of
from pipelines.train.protocol import on_target

Target = tuple[str, str]
"""Dataset and split."""


@dataclass(frozen=True)
class Lacking:
    """Finished run and the targets that it lacks an evaluation on.

    Attributes:
        run: the run.
        done: targets whose evaluation is up to date.
        lacking: targets whose evaluation is missing or out of date.
        refused: target in words → why it cannot be evaluated on it.
        notes: what :func:`pipelines.evaluate.trained.targets_of` reports.
    """

    run: TrainedRun
    done: Sequence[Target]
    lacking: Sequence[Target]
    refused: dict[str, str]
    notes: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.run.config["name"])


@dataclass(frozen=True)
class Found:
    """Runs of a workspace, and those that cannot be evaluated.

    Attributes:
        runs: the finished runs, by name.
        unfinished: names of the runs without a finished head.
        damaged: name of a run → what is damaged.
    """

    runs: Sequence[Lacking]
    unfinished: Sequence[str]
    damaged: dict[str, str]


def find_lacking(
    workspace: Workspace, cross: Sequence[str], split: str | None, machine: Machine, *, allow_mixed: bool = False
) -> Found:
    """Find the evaluations that every finished run lacks.

    They are within its own dataset and on others. Nothing is computed, and no vector is read.

    Args:
        workspace: the workspace.
        cross: the other datasets.
        split: split to evaluate on; None is val, else test.
        machine: device of the evaluations.
        allow_mixed: as for :func:`pipelines.evaluate.run.evaluate`.

    Raises:
        UsageError: an unknown split.
        MissingUpstream: there is no run, or a cross dataset has no split to evaluate on.
    """
    folders = workspace.run_folders()
    if not folders:
        raise MissingUpstream(f"{workspace.root}: there is no run to evaluate. Run xmic train.")
    runs: list[Lacking] = []
    unfinished: list[str] = []
    damaged: dict[str, str] = {}
    for folder in folders:
        try:
            run = find_run(workspace, folder.name)
        except MissingUpstream:
            unfinished.append(folder.name)
            continue
        except InputError as error:
            damaged[folder.name] = str(error)
            continue
        targets, notes = targets_of(workspace, run, cross, split)
        runs.append(_lacking(workspace, run, targets, notes, machine, allow_mixed))
    return Found(runs, unfinished, damaged)


def _lacking(
    workspace: Workspace,
    run: TrainedRun,
    targets: Sequence[Target],
    notes: Sequence[str],
    machine: Machine,
    allow_mixed: bool,
) -> Lacking:
    done: list[Target] = []
    lacking: list[Target] = []
    refused: dict[str, str] = {}
    for dataset, split in targets:
        try:
            target, frames, _ = on_target(workspace, dataset, split, run.protocol, allow_mixed=allow_mixed)
            item = EvaluateStage(workspace, run, dataset, split, target, frames, machine, Silent())
            made = inspect(item, item.units()[0]).state is State.DONE and (item.folder / METRICS).is_file()
        except (InputError, MissingUpstream, UsageError) as error:
            refused[f"{dataset} {split}"] = str(error)
            continue
        (done if made else lacking).append((dataset, split))
    return Lacking(run, done, lacking, refused, notes)
