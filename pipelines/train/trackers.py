"""Experiment trackers: TensorBoard, Weights & Biases, MLflow.

Each writes the rows of one run's ``metrics.jsonl``. A part of a run is 'noun', 'verb', or 'noun/lr-0.001' for one
learning rate of the recipe ``matched``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from data_manifests.errors import UsageError
from pipelines.train.options import TrackerName

PROJECT = "xmic"
"""Project of Weights & Biases and experiment of MLflow, where the environment names none."""


@dataclass(frozen=True)
class TrackedRun:
    """Run as a tracker sees it.

    Attributes:
        name: of the run.
        key: of the run; a tracker continues the run that has it.
        settings: method, preset, recipe and the like, as plain values.
        folder: where the tracker's own files lie.
    """

    name: str
    key: str
    settings: Mapping[str, Any]
    folder: Path


class Tracker(Protocol):
    """Writes rows of a run to a tracking program."""

    def write(self, part: str, values: Mapping[str, float], epoch: int, rows_before: int) -> None:
        """Write the row of one epoch.

        Args:
            part: of the run.
            values: name → number.
            epoch: from 1.
            rows_before: how many rows of all parts were written before, by this call or an earlier one.
        """

    def close(self) -> None:
        """Write what is not written yet, and end."""


class TensorBoard:
    """Writes event files, one folder per part of a run."""

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._writers: dict[str, Any] = {}

    def write(self, part: str, values: Mapping[str, float], epoch: int, rows_before: int) -> None:
        """Write one scalar per value, at the step of the epoch."""
        from torch.utils.tensorboard import SummaryWriter

        if part not in self._writers:
            # Rows of this and later epochs are those of a process that was killed before it could note them.
            writer: Any = SummaryWriter(str(self._run.folder / self._run.name / part), purge_step=epoch)
            if epoch == 1:
                writer.add_text("settings", f"```json\n{json.dumps(self._run.settings, indent=2)}\n```")
            self._writers[part] = writer
        for name, value in values.items():
            self._writers[part].add_scalar(name, value, epoch)
        self._writers[part].flush()

    def close(self) -> None:
        """Close the event files."""
        for writer in self._writers.values():
            writer.close()


class WeightsAndBiases:
    """Writes to Weights & Biases.

    Without a key it writes files that can be synced.
    """

    def __init__(self, run: TrackedRun) -> None:
        import wandb

        run.folder.mkdir(parents=True, exist_ok=True)
        # Without a key it would ask for one, and the training would wait.
        offline = "WANDB_MODE" not in os.environ and not wandb.login(prompt=False)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=run.key[:16],
            name=run.name,
            config=dict(run.settings),
            dir=str(run.folder),
            resume="allow",
            mode="offline" if offline else None,
            settings=wandb.Settings(console="off", silent=True, init_timeout=30),
        )
        self._parts: set[str] = set()

    def write(self, part: str, values: Mapping[str, float], epoch: int, rows_before: int) -> None:
        """Write the values as '<part>/<name>', drawn over '<part>/epoch'."""
        if part not in self._parts:
            self._run.define_metric(f"{part}/*", step_metric=f"{part}/epoch")
            self._parts.add(part)
        said = {f"{part}/{name}": value for name, value in values.items()}
        self._run.log({**said, f"{part}/epoch": epoch}, step=rows_before)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


class MLflow:
    """Writes to the server of MLFLOW_TRACKING_URI, else to files."""

    def __init__(self, run: TrackedRun) -> None:
        # Else a server that does not answer is asked for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        if "MLFLOW_TRACKING_URI" not in os.environ:
            # Newer versions ask for this before they write plain files.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        self._client: Any = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or run.folder.resolve().as_uri())
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        same = self._client.search_runs([experiment], f"tags.`xmic.key` = '{run.key}'")
        if same:
            self._id = same[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        made = self._client.create_run(experiment, run_name=run.name, tags={"xmic.key": run.key})
        self._id = made.info.run_id
        for setting, value in _flat(run.settings).items():
            self._client.log_param(self._id, setting, value)

    def write(self, part: str, values: Mapping[str, float], epoch: int, rows_before: int) -> None:
        """Write the values as '<part>/<name>', at the step of the epoch."""
        for name, value in values.items():
            self._client.log_metric(self._id, f"{part}/{name}", value, step=epoch)

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._id)


TRACKERS: dict[TrackerName, Callable[[TrackedRun], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
"""Name of ``--log``, of the extra and of the package → its tracker."""


def refuse_missing(names: tuple[TrackerName, ...]) -> None:
    """Refuse trackers whose package is not installed.

    Raises:
        UsageError: a package is missing.
    """
    for name in names:
        if find_spec(name) is None:
            raise UsageError(f"--log {name}: the package {name} is not installed. Run pip install 'xmic[{name}]'.")


def _flat(settings: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Join the names of nested settings by points."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{place}{name}.") if isinstance(value, Mapping) else {f"{place}{name}": value}
    return found
