"""X-MIC and zero-shot, trained and scored on the small embedded workspace: for tests of single answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.report.collect import collect
from pipelines.report.shown_models import Model, shown_models
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


def answer(workspace: Workspace) -> None:
    """Train both, score them within and across, and turn X-MIC's noun answers on the other dataset round."""
    for method, settings in (("xmic", {"epochs": 2, "batch": 6}), ("zero-shot", {})):
        planned = plan_run(workspace, TrainOptions("mine", method, set=settings, classify="hand"))
        train_run(workspace, planned, Machine(device="cpu"), Silent())
        run = find_run(workspace, planned.name)
        evaluate(workspace, run, [("mine", "val"), ("other", "val")], Machine(device="cpu"), Silent())
    # So small a training need not change any answer.
    (file,) = (workspace.root / "evaluations").glob("xmic-*/other-val/predictions.parquet")
    rows = pq.read_table(file)
    column = rows.schema.get_field_index("noun_scores")
    scores = np.array(rows.column(column).to_pylist(), np.float32)
    turned = pa.FixedSizeListArray.from_arrays(pa.array(-scores.reshape(-1)), scores.shape[1])
    pq.write_table(rows.set_column(column, rows.schema.field(column), turned), file)


def evaluations(workspace: Workspace) -> list[tuple[Metrics, Path]]:
    """Evaluations of the workspace with their folders."""
    found = collect(workspace)
    return list(zip(found.evaluations, found.folders, strict=True))


def models(workspace: Workspace) -> list[Model]:
    """Models whose answers a page shows."""
    return shown_models(evaluations(workspace))
