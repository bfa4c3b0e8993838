"""Find the labelled split by which ``--select target`` keeps an epoch.

A result on that split is not one on unseen clips.
"""

from __future__ import annotations

from dataclasses import dataclass

from data_manifests.errors import MissingUpstream, UsageError
from data_manifests.schema import canonical_split
from pipelines.decode.stage import DecodeStage
from pipelines.engine.workspace import Workspace
from pipelines.train.protocol import Protocol, on_target


@dataclass(frozen=True)
class SelectionTarget:
    """Labelled split by which an epoch is kept.

    It is embedded under the run's protocol.
    """

    workspace: Workspace
    dataset: str
    split: str
    protocol: Protocol
    frames: DecodeStage


def find_target(workspace: Workspace, name: str, protocol: Protocol, source: tuple[str, str]) -> SelectionTarget:
    """Find the split named by ``--target`` and its vectors.

    Args:
        workspace: the workspace.
        name: DATASET:SPLIT, or DATASET for its val or else test split.
        protocol: the run's protocol; a split that was made otherwise is refused.
        source: dataset and split that are trained on.

    Raises:
        UsageError: the split is the one that is trained on.
        MissingUpstream, InputError: the split is not prepared or embedded, or was made otherwise.
    """
    dataset, colon, part = name.partition(":")
    wanted = canonical_split(part) if colon else None
    split = workspace.evaluation_split(dataset, wanted)
    if split is None:
        raise MissingUpstream(
            f"--target {name}: {workspace.root} has no prepared {wanted or 'val or test'} split of {dataset}. "
            "Run xmic prepare for it."
        )
    if (dataset, split) == source:
        raise UsageError(f"--target {name}: it is what is trained on. Name another split, or use --source-val.")
    target, frames, _ = on_target(workspace, dataset, split, protocol, allow_mixed=False)
    return SelectionTarget(workspace, dataset, split, target, frames)
