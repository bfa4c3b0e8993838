"""Check the videos of a prepared dataset side by side.

Each video is probed once, and no broken video stops the check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_manifests.videos import Kind
from pipelines.decode.worker import reason_of
from pipelines.engine.clips import Clip, read_clips, read_videos
from pipelines.engine.file_memory import FileKey, FileMemory, file_key
from pipelines.engine.progress import Progress
from pipelines.engine.shards import TRANSIENT
from pipelines.engine.workers import run_killable
from pipelines.engine.workspace import Workspace
from pipelines.prepare.check.probe import Probe, probe
from pipelines.prepare.check.verdict import STATUSES, Verdict, judge

_TIMEOUT_S = 60.0


@dataclass
class SplitCheck:
    """Result of the check for the videos of a split.

    Attributes:
        videos: status → number of videos, for every status.
        clips: status → number of clips; of a video that is too short only those past its end count as 'shorter'.
        problems: each video that is not ok: video_id, path, status, detail, clips.
    """

    videos: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    clips: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    problems: list[dict[str, Any]] = field(default_factory=list)

    def add(self, video: Mapping[str, Any], verdict: Verdict) -> None:
        """Count a video and its clips under its status."""
        concerned = 0 if verdict.status == "ok" else verdict.clips
        self.videos[verdict.status] += 1
        self.clips[verdict.status] += concerned
        self.clips["ok"] += video["clips"] - concerned
        if verdict.status != "ok":
            place = {"video_id": video["video_id"], "path": video["path"]}
            self.problems.append({**place, "status": verdict.status, "detail": verdict.detail, "clips": concerned})


def check(
    workspace: Workspace, dataset: str, splits: Sequence[str], workers: int, progress: Progress
) -> dict[str, SplitCheck]:
    """Check every video of the splits.

    An unchanged file that was probed before is not probed again.

    Args:
        workspace: the workspace in which the dataset is prepared.
        dataset: its name there.
        splits: the splits to check.
        workers: number of processes.
        progress: notified of each video.

    Returns:
        Split → its check.
    """
    tables = {split: read_videos(workspace, dataset, split).to_pylist() for split in splits}
    found = _probe_all(workspace, dataset, [row for rows in tables.values() for row in rows], workers, progress)
    result = {}
    for split, videos in tables.items():
        clips = read_clips(workspace, dataset, split).by_video()
        result[split] = SplitCheck()
        for video in videos:
            result[split].add(video, _verdict(video, clips[video["video_id"]], found))
    return result


def needed(tables: Mapping[str, SplitCheck]) -> list[str]:
    """List the ids of the videos to get, or to get again."""
    again = ("missing", "unreadable", "shorter", "incomplete")
    return sorted({p["video_id"] for table in tables.values() for p in table.problems if p["status"] in again})


def missing_videos(workspace: Workspace, dataset: str, splits: Sequence[str]) -> list[str]:
    """List the ids of the videos that no root has."""
    tables = [read_videos(workspace, dataset, split, ["video_id", "path"]) for split in splits]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted({row["video_id"] for row in rows if row["path"] is None})


def _verdict(video: Mapping[str, Any], clips: Sequence[Clip], found: Mapping[str, Probe | str]) -> Verdict:
    if video["path"] is None:
        return Verdict("missing", STATUSES["missing"], len(clips))
    seen = found[video["path"]]
    return Verdict("unreadable", seen, len(clips)) if isinstance(seen, str) else judge(video, clips, seen)


def _probe_all(
    workspace: Workspace, dataset: str, videos: Sequence[Mapping[str, Any]], workers: int, progress: Progress
) -> dict[str, Probe | str]:
    """Probe the videos: relative path → probe, or the reason why there is none."""
    kinds = {video["path"]: video["kind"] for video in videos if video["path"] is not None}
    places = {path: workspace.find_video(dataset, path) for path in sorted(kinds)}
    there = {path: (place, kinds[path]) for path, place in places.items() if place is not None}
    gone = dict.fromkeys(places.keys() - there.keys(), "it was there when the dataset was prepared and is gone")
    return {**gone, **probe_files(workspace.probes, there, workers, progress, f"check {dataset}")}


def probe_files(
    memory: FileMemory, files: Mapping[str, tuple[Path, Kind]], workers: int, progress: Progress, what: str
) -> dict[str, Probe | str]:
    """Probe files side by side.

    An unchanged file that was probed before is not probed again.

    Args:
        memory: store of the probes of known files.
        files: name → path and kind of each.
        workers: number of processes.
        progress: notified of each file.
        what: name of this work in the progress.

    Returns:
        Name → probe, or the reason why there is none.
    """
    found: dict[str, Probe | str] = {}
    keys: dict[str, FileKey] = {}
    tasks = []
    for name, (place, kind) in files.items():
        keys[name] = file_key(f"probe 2 {kind}", place)
        known = memory.get(keys[name])
        if known is None:
            tasks.append((name, (str(place), kind)))
        else:
            seen = json.loads(known)
            found[name] = seen if isinstance(seen, str) else Probe(**seen)
    progress.start(what, len(files), "videos", len(files) - len(tasks))
    for outcome in run_killable(probe, tasks, workers=workers, timeout_s=_TIMEOUT_S, reason_of=reason_of):
        name = outcome.task_id
        seen = outcome.value if isinstance(outcome.value, Probe) else f"{outcome.reason}: {outcome.error}"
        found[name] = seen
        if outcome.reason not in TRANSIENT:
            memory.put(keys[name], json.dumps(asdict(seen) if isinstance(seen, Probe) else seen))
        progress.advance()
    progress.finish()
    return found
