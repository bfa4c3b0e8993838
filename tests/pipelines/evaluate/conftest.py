from __future__ import annotations

import pytest

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.trained import find_run
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


@pytest.fixture
def trained(embedded):
    """A workspace and a run that was trained in it."""
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 2, "batch": 4}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    return embedded, find_run(embedded, None)
