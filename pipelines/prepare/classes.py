"""Read the class lists of a workspace, and check their columns."""

from __future__ import annotations

import pyarrow as pa

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import CLASSES, Label
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace


def read_classes(workspace: Workspace, dataset: str, label: Label) -> pa.Table:
    """Read a dataset's class list.

    Returns:
        Rows of :data:`data_manifests.schema.CLASSES`.

    Raises:
        MissingUpstream: the dataset is not prepared.
        InputError: the list has other columns; another version of xmic wrote it.
    """
    file = workspace.classes_file(dataset, label)
    if not file.is_file():
        raise MissingUpstream(f"{file}: not prepared. Run xmic prepare for {dataset}.")
    table = read_rows(file)
    if table.column_names != CLASSES.names:
        raise InputError(
            f"{file}: its columns are {', '.join(table.column_names)}, expected {', '.join(CLASSES.names)}: another "
            f"version of xmic wrote it. Run xmic prepare for {dataset} again."
        )
    return table
