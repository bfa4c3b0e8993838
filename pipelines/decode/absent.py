"""Look again for videos that were missing when their split was prepared.

A manifest says where each video lies, and does not change by itself. A video that comes later is found here, and so is
one that lies there in another form.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from data_manifests.near_misses import NearMisses
from data_manifests.readers import ego4d, egtea, epic
from data_manifests.remote.access import current
from data_manifests.remote.path import is_remote, path_of
from data_manifests.videos import LeavesRoots, Place, VideoFinder
from pipelines.engine.clips import read_videos
from pipelines.engine.workspace import Workspace

_PATTERNS = {"epic": epic.PATTERNS, "ego4d": ego4d.PATTERNS, "egtea": egtea.PATTERNS}
_SIBLINGS = 64


def about_absent(workspace: Workspace, dataset: str, split: str) -> list[str]:
    """Report missing videos that are there now, or in another form.

    Returns:
        No sentence when no video was missing at the last prepare, or when nothing is found of those that were.
    """
    if not workspace.videos_file(dataset, split).is_file():
        return []
    rows = read_videos(workspace, dataset, split, ["video_id", "path"]).to_pylist()
    absent = [row["video_id"] for row in rows if row["path"] is None]
    if not absent:
        return []
    settings = workspace.datasets[dataset]
    roots = [path_of(root) for root in settings.roots if not is_remote(root) or _lists(root)]
    known = {(row["video_id"], row["path"]) for row in rows if row["path"] is not None}
    templates = {path.replace(video_id, "{id}") for video_id, path in islice(sorted(known), _SIBLINGS)}
    finder, near_misses = VideoFinder(roots), NearMisses(roots)
    arrived: list[Path] = []
    near: list[str] = []
    for video_id in absent:
        places = [*_places(settings.reader, video_id), *(Place(each.replace("{id}", video_id)) for each in templates)]
        try:
            found = finder.find(places)
        except LeavesRoots:
            found = None
        if found:
            arrived.append(found.path)
            continue
        miss = near_misses.find(places)
        if miss:
            near.append(f"{video_id}: {miss}")
    command = settings.reader if settings.reader in ("table", *_PATTERNS) else "own"
    return [*_arrived(arrived, command), *_near(near)]


def _lists(root: str) -> bool:
    """Whether a store may be asked, and answers with a listing: a web server would be asked for each name by itself."""
    return not current().offline and not root.startswith("http")


def _places(reader: str, video_id: str) -> Iterable[Place]:
    names = {
        "video_id": video_id,
        "clip_id": video_id,
        "clip_uid": video_id,
        "participant_id": video_id.split("_")[0],
        "session": "-".join(video_id.split("-")[:3]),
    }
    yield Place(video_id)
    for pattern in _PATTERNS.get(reader, ()):
        if "{video_uid}" not in pattern:
            yield Place(pattern.format(**names))


def _arrived(paths: list[Path], command: str) -> list[str]:
    if not paths:
        return []
    what = "1 video that was missing is" if len(paths) == 1 else f"{len(paths)} videos that were missing are"
    return [f"{what} there now, the first at {paths[0]}: run the same xmic prepare {command} again"]


def _near(sentences: list[str]) -> list[str]:
    if not sentences:
        return []
    more = f" ({len(sentences)} videos are like this)" if len(sentences) > 1 else ""
    return [f"{sentences[0]}{more}"]
