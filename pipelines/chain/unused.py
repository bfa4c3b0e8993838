"""Find what a workspace can do without, for ``xmic gc``.

Runs, their evaluations, reports and manifests are never in it, and no frames of a prepared dataset that a later command
would read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import LABELS
from pipelines.chain.status import status
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import decoded_plans, plan_of
from pipelines.engine.leftovers import is_left_over
from pipelines.engine.locks import holder_of
from pipelines.engine.removal import everything_in, size_of
from pipelines.engine.shards import DAMAGED
from pipelines.engine.workspace import Workspace, subfolders
from pipelines.train.finished import CONFIG

_CACHES = ("features", "pixels", "predict")
_FRAME = ("segments", "short_side", "quality")


@dataclass(frozen=True)
class Unused:
    """Something that can be removed, why, and its size in bytes."""

    path: Path
    why: str
    bytes: int


def find_unused(workspace: Workspace) -> list[Unused]:
    """Find everything that can be removed without losing work.

    Caches are left out while a run is trained.
    """
    found: dict[Path, str] = {}
    for path, why in _all(workspace):
        if not any(above in found for above in (path, *path.parents)):
            found = {other: reason for other, reason in found.items() if path not in other.parents}
            found[path] = why
    return [Unused(path, why, size_of(path)) for path, why in sorted(found.items())]


def remove_empty_folders(workspace: Workspace) -> None:
    """Remove folders that hold no file.

    A removal that was killed leaves such folders. Those of runs, evaluations, reports and running stages stay.
    """
    kept = (workspace.runs, workspace.evaluations, workspace.report("any").parent)
    for top in subfolders(workspace.root):
        if top in kept:
            continue
        inner_first = [str(top)] if top == workspace.scratch else [name for name, _, _ in os.walk(top, topdown=False)]
        for folder in map(Path, inner_first):
            with suppress(OSError):  # it is not empty, or another gc was faster
                folder.rmdir()


def _all(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    uses = _Uses(workspace)
    yield from _unprepared(workspace)
    for dataset, split in workspace.prepared():
        yield from _old_plans(workspace, dataset, split, uses)
    yield from _stale(workspace)
    if not any(holder_of(run / label) for run in workspace.run_folders() for label in LABELS):
        for kind in _CACHES:
            for folder in subfolders(workspace.cache(kind)):
                if folder.name != ".locks":
                    yield folder, "a cache, made again when it is needed"
    for path in everything_in(workspace.root):
        if is_left_over(path):
            yield path, "left by a process that was killed"
        elif path.name.endswith(DAMAGED) and not _is_last_trace(workspace, path):
            yield path, "damaged, set aside"


def _is_last_trace(workspace: Workspace, damaged: Path) -> bool:
    """Return True for a damaged manifest that was not made again: without it the split would be forgotten."""
    return workspace.manifests in damaged.parents and not damaged.with_suffix("").exists()


def _unprepared(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    # A split with damaged clips is prepared again, and then keeps what was made from them.
    prepared = [*workspace.prepared(), *workspace.damaged_splits()]
    for split in workspace.split_folders():
        dataset = split.parent.name
        if (dataset, split.name) not in prepared:
            yield split, f"{dataset} {split.name} is not prepared"
    for folder in workspace.text_folders():
        if folder.name not in {dataset for dataset, _ in prepared}:
            yield folder, f"{folder.name} is not prepared"


class _Uses:
    """What the runs of a workspace refer to."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @cached_property
    def _protocols(self) -> list[Mapping[str, Any]]:
        found = []
        for file in sorted(self._workspace.runs.glob(f"*/*/{CONFIG}")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                found.append(json.loads(file.read_text(encoding="utf-8"))["protocol"])
        return found

    def plan(self, plan: FramePlan) -> bool:
        return any(all(one.get(name) == getattr(plan, name) for name in _FRAME) for one in self._protocols)

    @cached_property
    def streams(self) -> set[str]:
        return {place for one in self._protocols for place in one.get("vectors") or {}}

    @cached_property
    def detectors(self) -> set[str]:
        vectors = [of for one in self._protocols for of in (one.get("vectors") or {}).values()]
        return {of["detector"] for of in vectors if of.get("detector")}


def _old_plans(workspace: Workspace, dataset: str, split: str, uses: _Uses) -> Iterator[tuple[Path, str]]:
    plans = decoded_plans(workspace, dataset, split)
    kept = {name for name, plan in plans.items() if uses.plan(plan)}
    kept |= _newest(workspace.frames(dataset, split, name) for name in plans)
    with suppress(MissingUpstream, InputError):
        kept.add(plan_of(workspace, dataset, split, None).slug)
    for name in sorted(set(plans) - kept):
        why = f"no run uses this frame plan; {', '.join(sorted(kept))} is kept"
        for folder in (
            workspace.frames(dataset, split, name),
            workspace.hands(dataset, split, name),
            workspace.embeddings(dataset, split, name),
        ):
            if folder.is_dir():
                yield folder, why
    for name in sorted(kept):
        yield from _old_boxes(workspace, (dataset, split, name), uses)


def _old_boxes(workspace: Workspace, place: tuple[str, str, str], uses: _Uses) -> Iterator[tuple[Path, str]]:
    boxes = subfolders(workspace.hands(*place))
    kept = {folder.name for folder in boxes if folder.name in uses.detectors} | _newest(boxes)
    why = f"no run uses these boxes; those of {', '.join(sorted(kept))} are kept"
    yield from ((folder, why) for folder in boxes if folder.name not in kept)
    for encoder in subfolders(workspace.embeddings(*place)):
        crops = [folder for folder in subfolders(encoder) if folder.name.startswith("hand-")]
        used = {folder.name for folder in crops if f"{encoder.name}/{folder.name}" in uses.streams} | _newest(crops)
        for folder in crops:
            if folder.name not in used:
                yield folder, f"no run uses these crops; {', '.join(sorted(used))} is kept"


def _newest(folders: Iterable[Path]) -> set[str]:
    """Return the name of the folder with the newest shard."""
    made = [(file.stat().st_mtime, folder.name) for folder in folders for file in folder.glob("part-*.parquet")]
    return {max(made)[1]} if made else set()


def _stale(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    """Yield boxes and vectors all of which are stale.

    Frames are never among them: their videos may be gone.
    """
    try:
        stages = status(workspace)
    except MissingUpstream:
        return
    for item in stages:
        others = item.done + item.missing + item.damaged + item.incomplete
        if item.stage not in ("detect-hands", "embed", "embed text") or not item.stale or others:
            continue
        folder = Path(item.folder)
        path = folder / f"{item.what.rpartition('/')[2]}.parquet" if item.stage == "embed text" else folder
        yield path, f"stale: {next(iter(item.why.values()))}"
