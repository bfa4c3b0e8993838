"""Report the frame plan that a command chose among several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xmic_cli import console

if TYPE_CHECKING:
    from pipelines.engine.workspace import Workspace


def note_plans(workspace: Workspace, splits: Iterable[tuple[str, str]], named: str | None) -> None:
    """Report the frame plan of each split on stderr.

    Nothing is reported for a split with one plan, or where the user named a plan.

    Args:
        workspace: the workspace.
        splits: (dataset, split) pairs whose frames are read.
        named: value of ``--plan``.

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
