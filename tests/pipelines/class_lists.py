"""Writes class lists into a workspace: for tests of what reads them."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from pipelines.engine import stage
from pipelines.engine.digest import digest_table
from pipelines.engine.shards import Layout
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import OneFile


def write_classes(workspace: Workspace, dataset: str, label: str, table: pa.Table) -> None:
    """A class list as prepare leaves it, with these rows and columns."""
    file = workspace.classes_file(dataset, label)

    def build(rows: pa.Table) -> tuple[pa.Table, dict[str, pa.Table]]:
        return rows, {}

    inputs = {"classes": digest_table(table)}
    layout, made = Layout(table.schema), partial(build, table)
    stage.run(OneFile(f"{label} classes", dataset, layout, file.parent, file.name, inputs, {}, made, "xmic prepare"))
