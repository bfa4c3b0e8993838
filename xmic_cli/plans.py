"""Which frame plan a command took, where it had several to choose from and none was named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xmic_cli import console

if TYPE_CHECKING:
    from pipelines.engine.workspace import Workspace


def note_plans(workspace: Workspace, splits: Iterable[tuple[str, str]], named: str | None) -> None:
    """Say it, on stderr.

    Args:
        workspace: the workspace.
        splits: (dataset, split) pairs whose frames are read.
        named: what ``--plan`` was.

    Raises:
        MissingUpstream, InputError: see :func:`pipelines.decode.stage.plan_of`.
    """
    from pipelines.decode.stage import decoded_plans, plan_of

    for dataset, split in splits if named is None else ():
        plans = list(decoded_plans(workspace, dataset, split))
        if len(plans) > 1:
            taken = plan_of(workspace, dataset, split, None).slug
            others = ", ".join(name for name in plans if name != taken)
            console.note(f"{dataset} {split}: frames of plan {taken} are taken; --plan names another ({others})")
