"""Find datasets whose hand boxes come from different detectors."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pipelines.engine.workspace import Workspace


def warnings_of_boxes(workspace: Workspace, made: Iterable[tuple[str, str]]) -> list[str]:
    """Warn of pairs of datasets that share no detector.

    Args:
        workspace: the workspace.
        made: (dataset, folder name of the detector) of the boxes that a call makes, which count as made.
    """
    making: dict[str, set[str]] = {}
    for dataset, detector in made:
        making.setdefault(dataset, set()).add(detector)
    there = workspace.detectors()
    found = {name: there.get(name, set()) | making.get(name, set()) for name in {*there, *making}}
    return [
        _warning(name, found[name], other, found[other])
        for name in sorted(making)
        for other in sorted(found)
        if other != name and found[other] and found[other].isdisjoint(found[name])
    ]


def warnings_of_run(workspace: Workspace, dataset: str, detector: str) -> list[str]:
    """Warn of datasets without boxes by the detector of a run.

    Args:
        workspace: the workspace.
        dataset: the dataset that the run is trained on.
        detector: folder name of the detector of its hand crops.
    """
    return [
        _warning(dataset, {detector}, name, theirs)
        for name, theirs in sorted(workspace.detectors().items())
        if name != dataset and detector not in theirs
    ]


def _warning(dataset: str, mine: Collection[str], other: str, theirs: Collection[str]) -> str:
    return (
        f"the boxes of {dataset} are by {_words(mine)}, those of {other} by {_words(theirs)}. A run that is trained on "
        f"hand crops of one is refused by xmic evaluate --cross for the other. Give both their boxes with one detector "
        "(xmic detect-hands, then xmic embed), or evaluate with --allow-mixed; every table then says so."
    )


def _words(names: Collection[str]) -> str:
    return " and ".join(sorted(names))
