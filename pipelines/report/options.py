"""Options of ``xmic report`` and of ``[report]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pipelines.engine.options import Doc, Options


@dataclass(frozen=True)
class ReportOptions(Options):
    """Name of the folder that a report is written to."""

    name: Annotated[str, Doc("Folder name below reports/.")] = "report"
