"""List the runs of a workspace with their results, and remove runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import LABELS
from pipelines.chain.run_status import run_status
from pipelines.engine.removal import remove_unused, size_of
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.differs import run_config, told_apart
from pipelines.evaluate.metrics_file import METRICS, Metrics, read_metrics
from pipelines.train.finished import SUMMARY


@dataclass(frozen=True)
class RunEntry:
    """A run of the list.

    Attributes:
        run: its name.
        method: None where no head has a readable configuration, as for the fields below.
        preset: of the method.
        dataset: that it was trained on.
        seed: of the training.
        differs: what it differs in from its preset, see :func:`pipelines.evaluate.differs.told_apart`.
        state: 'finished', or what is to be done about which head.
        newest: commands that name no run take this one.
        results: its evaluations, within its dataset first; top-1 in percent, None where no clip was evaluated.
        bytes: size of the run and its evaluations.
        folder: of the run.
    """

    run: str
    method: str | None
    preset: str | None
    dataset: str | None
    seed: int | None
    differs: Mapping[str, Any]
    state: str
    newest: bool
    results: Sequence[Mapping[str, Any]]
    bytes: int
    folder: str


def list_runs(workspace: Workspace) -> list[RunEntry]:
    """List all runs of a workspace by name."""
    folders = workspace.run_folders()
    apart = told_apart(folders)
    newest = workspace.run("latest").resolve()
    return [_entry(workspace, folder, apart.get(folder.name, {}), folder.resolve() == newest) for folder in folders]


def _entry(workspace: Workspace, folder: Path, differs: Mapping[str, Any], newest: bool) -> RunEntry:
    config = run_config(folder) or {}
    status = run_status(workspace, folder, verify=False)
    state = "; ".join(f"{label}: {why}" for label, why in status.why.items()) or "finished"
    parts = [folder, *evaluations_of(workspace, folder.name)]
    return RunEntry(
        folder.name,
        config.get("method"),
        config.get("preset"),
        config.get("source", {}).get("dataset"),
        config.get("seed"),
        differs,
        state if status.done + len(status.why) else "not trained yet",
        newest,
        list(_results(parts[1:])),
        sum(map(size_of, parts)),
        str(folder),
    )


def _results(folders: Sequence[Path]) -> list[dict[str, Any]]:
    found: list[Metrics] = []
    for file in (file for folder in folders for file in sorted(folder.glob(f"*/{METRICS}"))):
        with suppress(InputError):  # xmic report says what is wrong with it
            found.append(read_metrics(file))
    return [
        {
            "dataset": metrics.target.dataset,
            "split": metrics.target.split,
            "within": metrics.within,
            "control": metrics.control.words,
            **{label: metrics.labels[label].top1 for label in LABELS if label in metrics.labels},
        }
        for metrics in sorted(found, key=lambda metrics: (bool(metrics.control), not metrics.within))
    ]


def evaluations_of(workspace: Workspace, run: str) -> list[Path]:
    """List the folders of a run's evaluations, with those of its controls."""
    return sorted([*workspace.evaluations.glob(escape(run)), *workspace.evaluations.glob(f"{escape(run)}@*")])


def chosen_runs(workspace: Workspace, names: Sequence[str]) -> list[Path]:
    """Find the folders of runs by name; ``latest`` is the newest.

    Raises:
        MissingUpstream: there is no run of a name.
    """
    known = {folder.name: folder for folder in workspace.run_folders()}
    newest = workspace.run("latest").resolve().name
    found = []
    for name in names:
        folder = known.get(newest if name == "latest" else name)
        if folder is None:
            raise MissingUpstream(
                f"{workspace.run(name)}: no such run; there is {', '.join(known) or 'none'}. Run xmic runs to see them."
            )
        found.append(folder)
    return list(dict.fromkeys(found))


def remove_runs(workspace: Workspace, folders: Sequence[Path]) -> None:
    """Remove runs with their evaluations.

    ``latest`` then points to the newest run that is left.

    Raises:
        InUse: another process trains or evaluates one of them; that run and those after it are kept.
    """
    for folder in folders:
        remove_unused([folder, *evaluations_of(workspace, folder.name)], workspace.root)
    link = workspace.run("latest")
    if link.is_symlink() and not link.exists():
        link.unlink()
        left = {head.stat().st_mtime: run for run in workspace.run_folders() for head in run.glob(f"*/{SUMMARY}")}
        if left:
            link.symlink_to(left[max(left)].name)
