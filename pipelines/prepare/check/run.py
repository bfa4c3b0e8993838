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
from pipelines.decode.look_through import LookedThrough, look_through, looked_through_key, recalled, text_of
from pipelines.decode.media_rules import MAX_PIXELS, USUAL, MediaRules
from pipelines.decode.worker import reason_of
from pipelines.engine.clips import Clip, read_clips, read_videos
from pipelines.engine.file_memory import FileKey, FileMemory, file_key
from pipelines.engine.progress import Progress
from pipelines.engine.shards import TRANSIENT
from pipelines.engine.workers import run_killable
from pipelines.engine.workspace import Workspace
from pipelines.prepare.check.probe import Probe, probe
from pipelines.prepare.check.verdict import STATUSES, Verdict, judge, judge_damage

_TIMEOUT_S = 60.0
_BY_RULE = frozenset({"outside_roots", "too_many_pixels"})
"""Reasons that are no fact about the file alone, so they are not kept."""


@dataclass
class SplitCheck:
    """Result of the check for the videos of a split.

    Attributes:
        videos: status → number of videos, for every status.
        clips: status → number of clips; of a video that is too short only those past its end count as 'shorter'.
        problems: each video that is not ok: video_id, path, status, detail, clips.
        decoded: with ``deep``, id of each video → :class:`LookedThrough` as a mapping, or why it was not decoded.
    """

    videos: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    clips: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    problems: list[dict[str, Any]] = field(default_factory=list)
    decoded: dict[str, dict[str, Any] | str] = field(default_factory=dict)

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
    workspace: Workspace,
    dataset: str,
    splits: Sequence[str],
    workers: int,
    progress: Progress,
    *,
    deep: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, SplitCheck]:
    """Check every video of the splits.

    An unchanged file that was probed before is not probed again, nor is one decoded again.

    Args:
        workspace: the workspace in which the dataset is prepared.
        dataset: its name there.
        splits: the splits to check.
        workers: number of processes.
        progress: notified of each video.
        deep: decode every video once and count its damaged frames. xmic decode recalls them.
        max_pixels: most pixels of a frame.

    Returns:
        Split → its check.
    """
    tables = {split: read_videos(workspace, dataset, split).to_pylist() for split in splits}
    rows = [row for rows in tables.values() for row in rows]
    there, gone = _places(workspace, dataset, rows)
    rules = MediaRules(max_pixels, roots=workspace.datasets[dataset].roots)
    found = {**gone, **probe_files(workspace.probes, there, workers, progress, f"check {dataset}", rules)}
    seen: dict[str, LookedThrough | str] = {}
    if deep:
        readable = {path: place for path, place in there.items() if isinstance(found[path], Probe)}
        seen = _looked_through(workspace.probes, readable, workers, progress, f"decode {dataset}", rules)
    result = {}
    for split, videos in tables.items():
        clips = read_clips(workspace, dataset, split).by_video()
        result[split] = SplitCheck()
        for video in videos:
            verdict = _verdict(video, clips[video["video_id"]], found)
            saw = seen.get(video["path"])
            if saw is not None:
                result[split].decoded[video["video_id"]] = saw if isinstance(saw, str) else asdict(saw)
                if verdict.status == "ok":
                    verdict = _verdict_of_frames(video, clips[video["video_id"]], saw)
            result[split].add(video, verdict)
    return result


def needed(tables: Mapping[str, SplitCheck]) -> list[str]:
    """List the ids of the videos to get, or to get again."""
    again = ("missing", "unreadable", "shorter", "incomplete", "damaged")
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


def _verdict_of_frames(video: Mapping[str, Any], clips: Sequence[Clip], saw: LookedThrough | str) -> Verdict:
    return Verdict("damaged", saw, len(clips)) if isinstance(saw, str) else judge_damage(video, clips, saw)


def _places(
    workspace: Workspace, dataset: str, videos: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, tuple[Path, Kind]], dict[str, str]]:
    """Find the videos: relative path → path and kind, and relative path → why it is not there."""
    kinds = {video["path"]: video["kind"] for video in videos if video["path"] is not None}
    places = {path: workspace.find_video(dataset, path) for path in sorted(kinds)}
    there = {path: (place, kinds[path]) for path, place in places.items() if place is not None}
    gone = dict.fromkeys(places.keys() - there.keys(), "it was there when the dataset was prepared and is gone")
    return there, gone


def probe_files(
    memory: FileMemory,
    files: Mapping[str, tuple[Path, Kind]],
    workers: int,
    progress: Progress,
    what: str,
    rules: MediaRules = USUAL,
) -> dict[str, Probe | str]:
    """Probe files side by side.

    An unchanged file that was probed before is not probed again.

    Args:
        memory: store of the probes of known files.
        files: name → path and kind of each.
        workers: number of processes.
        progress: notified of each file.
        what: name of this work in the progress.
        rules: what the files may ask for, and where they may lie.

    Returns:
        Name → probe, or the reason why there is none.
    """
    found: dict[str, Probe | str] = {}
    keys: dict[str, FileKey] = {}
    tasks = []
    for name, (place, kind) in files.items():
        keys[name] = file_key(f"probe 2 {kind}", place)
        known = None if rules.leaves_roots(place) else memory.get(keys[name])
        if known is None:
            tasks.append((name, (str(place), kind, rules)))
        else:
            seen = json.loads(known)
            found[name] = seen if isinstance(seen, str) else Probe(**seen)
    progress.start(what, len(files), "videos", len(files) - len(tasks))
    for outcome in run_killable(probe, tasks, workers=workers, timeout_s=_TIMEOUT_S, reason_of=reason_of):
        name = outcome.task_id
        seen = outcome.value if isinstance(outcome.value, Probe) else f"{outcome.reason}: {outcome.error}"
        found[name] = seen
        if outcome.reason not in _BY_RULE | TRANSIENT:
            memory.put(keys[name], json.dumps(asdict(seen) if isinstance(seen, Probe) else seen))
        progress.advance()
    progress.finish()
    return found


def _looked_through(
    memory: FileMemory,
    files: Mapping[str, tuple[Path, Kind]],
    workers: int,
    progress: Progress,
    what: str,
    rules: MediaRules,
) -> dict[str, LookedThrough | str]:
    """Decode files side by side: name → what was seen, or the reason why nothing was."""
    found: dict[str, LookedThrough | str] = {}
    keys: dict[str, FileKey] = {}
    tasks = []
    for name, (place, kind) in files.items():
        keys[name] = looked_through_key(kind, place)
        known = recalled(memory, kind, place)
        if known is None:
            tasks.append((name, (str(place), kind, rules)))
        else:
            found[name] = known
    progress.start(what, len(files), "videos", len(files) - len(tasks))
    for outcome in run_killable(look_through, tasks, workers=workers, timeout_s=_TIMEOUT_S, reason_of=reason_of):
        if isinstance(outcome.value, LookedThrough):
            found[outcome.task_id] = outcome.value
            memory.put(keys[outcome.task_id], text_of(outcome.value))
        else:
            found[outcome.task_id] = f"{outcome.reason}: {outcome.error}"
        progress.advance()
    progress.finish()
    return found
