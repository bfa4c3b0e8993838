"""Find a trained run and the splits to evaluate it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream, UsageError
from data_manifests.schema import LABELS, Label
from pipelines.engine.command_lines import in_workspace
from pipelines.engine.folder_names import is_folder_name
from pipelines.engine.hub import HubAddress, folder_on_hub, is_address, parse_address
from pipelines.engine.workspace import SPLITS, Workspace
from pipelines.evaluate.exported import EXPORTED, INDEX, check_export, is_exported, refuse_links_out
from pipelines.evaluate.run_config import read_config, read_summary
from pipelines.train.finished import CONFIG, is_summarised, what_is_damaged
from pipelines.train.protocol import Protocol


@dataclass(frozen=True)
class TrainedRun:
    """Trained run with the configuration of its heads."""

    folder: Path
    heads: Mapping[Label, Mapping[str, Any]]
    """Label → content of config.json."""
    own_code: bool = True
    """False for a run from outside the workspace: it may name built-in methods, encoders and detectors only."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration that both heads share."""
        return next(iter(self.heads.values()))

    @property
    def protocol(self) -> Protocol:
        """Protocol that the run was trained under."""
        return Protocol(**self.config["protocol"])


def find_run(workspace: Workspace, name: str | None, *, offline: bool = False, trust: bool = False) -> TrainedRun:
    """Find a run by name, folder or hub address.

    Without a name it is the newest. A run on the hub (hf://owner/repo) is downloaded once, unless the network is off.

    A run from outside the workspace may name built-in methods, encoders and detectors only, unless it is trusted.

    Raises:
        MissingUpstream: there is no such run, or no head of it is finished.
        InputError: an exported folder is not whole, or a head is damaged: its weights or its configuration. Or a run
            from outside the workspace names a class of its own and is not trusted.
    """
    if name and is_address(name):
        return read_run(run_on_hub(parse_address(name), offline=offline), own_code=trust)
    named = name is not None and (_has_heads(Path(name)) or not is_folder_name(name))
    folder = Path(name) if named and name else workspace.run(name or "latest")
    if not folder.is_dir():
        known = [run.name for run in workspace.run_folders()]
        if known and name in (None, "latest"):
            raise MissingUpstream(
                f"{workspace.runs}: no head of any run is finished; there is {', '.join(known)}. A stopped run goes on "
                "with the same xmic train command; xmic runs shows how far each is."
            )
        raise MissingUpstream(
            f"{folder}: no such run; there is {', '.join(known) or 'none'}. "
            f"Run xmic train {in_workspace(workspace.root)}"
        )
    return read_run(folder, own_code=trust or _is_own(workspace, folder))


def run_on_hub(address: HubAddress, *, offline: bool, newest: bool = False) -> Path:
    """Find or download an exported run.

    Arguments and errors are those of :func:`pipelines.engine.hub.folder_on_hub`.
    """
    return folder_on_hub(address, INDEX, EXPORTED, offline=offline, newest=newest)


def _has_heads(folder: Path) -> bool:
    return any((folder / label).is_dir() for label in LABELS)


def _is_own(workspace: Workspace, folder: Path) -> bool:
    """Check that a run was trained in the workspace: an exported folder that was moved into it was not."""
    return folder.resolve().parent == workspace.runs.resolve() and not is_exported(folder)


def read_run(folder: Path, *, own_code: bool = False) -> TrainedRun:
    """Read the folder of a run.

    Args:
        folder: the run's.
        own_code: accept a method, encoder or detector that is named as ``package.module:Class``.

    Raises:
        MissingUpstream: no head of it is finished.
        InputError: as for :func:`find_run`.
    """
    if not own_code:
        refuse_links_out(folder)
    check_export(folder)
    heads: dict[Label, Mapping[str, Any]] = {}
    for label in LABELS:
        if is_summarised(folder / label):
            damage = what_is_damaged(folder / label)
            if damage:
                raise InputError(f"{damage}. Run the same xmic train command again: it trains this head again.")
            heads[label] = read_config(folder / label / CONFIG, own_code=own_code)
            read_summary(folder / label)
    if not heads:
        raise MissingUpstream(
            f"{folder}: no head of this run is finished. It goes on with the same xmic train command."
        )
    return TrainedRun(folder.resolve(), heads, own_code)


def targets_of(
    workspace: Workspace, run: TrainedRun, cross: Sequence[str], split: str | None
) -> tuple[list[tuple[str, str]], list[str]]:
    """Choose the splits to evaluate a run on.

    The run's own dataset comes first, then each cross dataset.

    Returns:
        The (dataset, split) pairs, and notes about what cannot be evaluated.

    Raises:
        UsageError: an unknown split.
        MissingUpstream: a cross dataset has no split to evaluate on, or there is nothing to evaluate on at all.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"--split {split}: expected {', '.join(SPLITS)}")
    own = run.config["source"]["dataset"]
    targets, notes = [], []
    within = workspace.evaluation_split(own, split)
    if within:
        targets.append((own, within))
    else:
        notes.append(f"{own} has no {split or 'val or test'} split: nothing to evaluate within the dataset")
    for dataset in cross:
        if dataset == own:
            continue
        found = workspace.evaluation_split(dataset, split)
        if not found:
            raise MissingUpstream(
                f"{workspace.root}: {dataset} has no prepared {split or 'val or test'} split. Run xmic prepare for it."
            )
        targets.append((dataset, found))
    if not targets and not workspace.splits(own):
        raise MissingUpstream(
            f"{workspace.root}: {own} is not prepared here, and no other dataset is named. Run xmic prepare for it, or "
            "name a prepared dataset with --cross."
        )
    return targets, notes
