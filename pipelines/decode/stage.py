"""``decode``: one visit to each video, every wanted frame kept as a JPEG."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import InputError, MissingUpstream
from pipelines.decode.options import DecodeOptions
from pipelines.decode.plan import FramePlan
from pipelines.decode.tables import FRAMES_LAYOUT, SIDES
from pipelines.decode.task import VideoTask
from pipelines.engine.clips import Clip, read_clips, read_videos
from pipelines.engine.command_lines import command_line
from pipelines.engine.digest import digest_json
from pipelines.engine.environment import versions
from pipelines.engine.groups import group_videos
from pipelines.engine.leftovers import remove_leftovers, temporary_name
from pipelines.engine.memory import release_memory
from pipelines.engine.progress import Progress
from pipelines.engine.shards import Footer, Layout, ShardWriter, any_footer, iter_rows, known_footer
from pipelines.engine.stage import OpenShard, Unit
from pipelines.engine.workspace import Workspace, subfolders

_JPEG_BYTES = 20_000
_GROUPS_A_GIVING_BACK = 8
_INDEXES = "packet-indexes"
_MISSING = "missing"
_PLACED = ("video_id", "path", "kind", "offset_s", "jpeg_rate", "duration_s")


def default_plan(split: str) -> FramePlan:
    """Segment centres for evaluation; three candidates a segment for training to draw from."""
    return FramePlan(candidates=3 if split == "train" else 1)


@dataclass
class _Pending:
    unit: Unit
    tasks: dict[str, VideoTask]
    outcomes: dict[str, Any] = field(default_factory=dict)


@dataclass
class DecodeStage:
    """Frames of one split of one dataset under one plan. See :class:`pipelines.engine.stage.Stage`."""

    workspace: Workspace
    dataset: str
    split: str
    plan: FramePlan
    workers: int = 1
    timeout_s: float = DecodeOptions.video_timeout
    function: Callable[[VideoTask, Callable[[], None]], dict[str, Any]] | None = None
    """What a worker process runs on a video; :func:`pipelines.decode.worker.decode_video` when None."""

    name = "decode"
    version = 2
    layout: Layout = FRAMES_LAYOUT
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES)

    @property
    def title(self) -> str:
        """Dataset and split."""
        return f"{self.dataset} {self.split}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The plan."""
        return {"plan": asdict(self.plan)}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Which dataset the frames are of."""
        return {"dataset": self.dataset, "split": self.split, "plan": self.plan.slug}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of what decodes and encodes."""
        return versions("av", "opencv-python", "numpy", "pyarrow")

    @property
    def folder(self) -> Path:
        """``frames/<dataset>/<split>/<plan>``."""
        return self.workspace.frames(self.dataset, self.split, self.plan.slug)

    @property
    def command(self) -> str:
        """The command line that makes these shards."""
        plan = self.plan
        candidates = None if plan.candidates == default_plan(self.split).candidates else plan.candidates
        options = DecodeOptions(plan.segments, candidates, plan.short_side, plan.quality)
        return command_line("decode", options, self.dataset, split=self.split, root=self.workspace.root)

    def units(self) -> list[Unit]:
        """One unit a group of videos; a key covers the clips' times and the identity of each file.

        What was decoded of a file that is gone by now (a disk that is not mounted, a download that was deleted) stays
        as it is: such a file counts as the one it was.
        """
        units = []
        for unit in self.units_by_clips():
            files = {f"file of {task.video_id}": self._identity(task) for task in unit.payload}
            if _MISSING in files.values():
                there = known_footer(unit.path)
                before = there.inputs if there else {}
                files |= {name: before.get(name, _MISSING) for name, found in files.items() if found == _MISSING}
            inputs = {**unit.inputs, **files}
            units.append(Unit(unit.group, unit.path, inputs, unit.attempted, unit.size, unit.payload))
        return units

    def units_by_clips(self) -> list[Unit]:
        """The same units with the clips as their only inputs: needs no video, for those who read the shards."""
        clips = read_clips(self.workspace, self.dataset, self.split)
        of_video, digests = clips.by_video(), clips.digests_by_video()
        videos = read_videos(self.workspace, self.dataset, self.split, _PLACED)
        lying_in = Counter(videos.column("path").to_pylist())
        tasks = {
            row["video_id"]: self._task(row, of_video[row["video_id"]], lying_in[row["path"]] > 1)
            for row in videos.to_pylist()
        }
        a_clip = self.plan.segments * self.plan.candidates
        groups = group_videos(
            {video: len(rows) * a_clip for video, rows in of_video.items()},
            self.workspace.groups(self.dataset),
        )
        units = []
        for group, members in groups.items():
            attempted = sum(len(of_video[video]) for video in members) * a_clip
            units.append(
                Unit(
                    group,
                    self.folder / f"part-{group}.parquet",
                    {f"clips of {video}": digests[video] for video in members},
                    attempted,
                    attempted * _JPEG_BYTES,
                    [tasks[video] for video in members],
                )
            )
        return units

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Decode videos of many shards side by side, each in a process; a shard is written with its last video."""
        from pipelines.decode.worker import decode_video, reason_of
        from pipelines.engine.workers import run_killable

        scratch = self._fresh_scratch()
        pending: dict[str, _Pending] = {}

        def tasks() -> Iterator[tuple[tuple[str, str], VideoTask]]:
            for unit in units:
                self._refuse_to_lose(unit)
                placed = {task.video_id: self._placed(task, scratch, unit.group) for task in unit.payload}
                pending[unit.group] = _Pending(unit, placed)
                for task in placed.values():
                    yield (unit.group, task.video_id), task

        found = False
        try:
            for outcome in run_killable(
                self.function or decode_video,
                tasks(),
                workers=self.workers,
                timeout_s=self.timeout_s,
                reason_of=reason_of,
            ):
                group, video_id = outcome.task_id
                waiting = pending[group]
                waiting.outcomes[video_id] = outcome
                found = found or outcome.reason != "missing_video"
                if len(waiting.outcomes) == len(waiting.tasks):
                    with open_shard(waiting.unit) as shard:
                        for video in sorted(waiting.tasks):
                            self._append(shard, waiting.tasks[video], waiting.outcomes[video], progress)
                    shutil.rmtree(scratch / group, ignore_errors=True)
                    del pending[group]
                    yield waiting.unit
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if not found:
            self._refuse_nothing()

    def _refuse_to_lose(self, unit: Unit) -> None:
        gone = [task for task in unit.payload if self._file(task) is None]
        lost = [task for task in gone if unit.inputs[f"file of {task.video_id}"] != _MISSING]
        there = known_footer(unit.path)
        if lost and there and there.rows:
            raise MissingUpstream(
                f"{unit.path}: must be made anew, but the files of {len(lost)} of its videos are gone and their frames "
                f"would be lost; the first is {lost[0].path or lost[0].video_id}, searched under {self._roots}. Put "
                "them back (is the disk mounted?) and run the same xmic prepare again, or remove this shard to do "
                "without them."
            )

    def _refuse_nothing(self) -> None:
        """After a run that found no video: whether there is one at all."""
        tasks = [task for unit in self.units_by_clips() for task in unit.payload]
        if tasks and not any(self._file(task) for task in tasks):
            first = tasks[0].path or tasks[0].video_id
            raise MissingUpstream(
                f"{self.title}: none of its {len(tasks)} videos is there; the first, {first}, was searched under "
                f"{self._roots}. Is the disk mounted? Other roots: the same xmic prepare with --videos."
            )

    @property
    def _roots(self) -> str:
        return ", ".join(self.workspace.datasets[self.dataset].roots) or "no root"

    def _task(self, video: Mapping[str, Any], clips: list[Clip], shares_file: bool) -> VideoTask:
        return VideoTask(
            video["video_id"],
            video["path"],
            video["kind"] or "video",
            video["offset_s"] or 0.0,
            video["jpeg_rate"],
            video["duration_s"],
            clips,
            self.plan,
            shares_file,
        )

    def _file(self, task: VideoTask) -> Path | None:
        return None if task.path is None else self.workspace.find_video(self.dataset, task.path)

    def _identity(self, task: VideoTask) -> str:
        found = self._file(task)
        if found is None:
            return _MISSING
        digests = self.workspace.file_digests
        size, content = 0, ""
        if found.is_dir():
            content = digests.listing(found)
        else:
            size, content = found.stat().st_size, digests.head_and_tail(found)
        # For JPEGs the annotated rate and length decide whether they are those of another frame rate.
        facts = [task.jpeg_rate, task.duration_s] if task.kind in ("frames", "tar") else []
        return digest_json([task.path, task.kind, task.offset_s, size, content, *facts])

    def _placed(self, task: VideoTask, scratch: Path, group: str) -> VideoTask:
        found = self._file(task)
        output = scratch / group / digest_json(task.video_id)[:24]
        output.parent.mkdir(parents=True, exist_ok=True)
        # Videos of one file are scattered over the groups, so its index outlives theirs.
        indexes = str(scratch / _INDEXES) if task.shares_file else ""
        return replace(task, path=str(found) if found else None, output=str(output), indexes=indexes)

    def _append(self, shard: ShardWriter, task: VideoTask, outcome: Any, progress: Progress) -> None:
        if outcome.reason is not None:
            rows = len(task.clips) * self.plan.segments * self.plan.candidates
            shard.fail(outcome.reason, outcome.error or "", video_id=task.video_id, rows=rows)
            if outcome.reason != "missing_video":
                progress.note(f"{task.video_id}: {outcome.reason}: {outcome.error}")
            return
        result = outcome.value
        for name, write in (
            ("frames", shard.write),
            ("clip_frames", lambda t: shard.write_side("clip_frames", t)),
        ):
            # Not mapped: the pages of a long video's frames would count as memory of this process until the last row.
            with pa.OSFile(f"{task.output}.{name}.arrow", "rb") as source, pa.ipc.open_stream(source) as stream:
                for batch in stream:
                    write(pa.Table.from_batches([batch]))
        shard.write_side("videos", [result["video"]])
        for failure in result["failures"]:
            shard.fail(**failure, video_id=task.video_id)
        if result["video"].get("fallback"):
            progress.note(f"{task.video_id}: read from start to end, because {result['video']['fallback']}")

    def _fresh_scratch(self) -> Path:
        remove_leftovers(self.workspace.scratch, "decode-")
        scratch = self.workspace.scratch / temporary_name("decode-")
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch


@dataclass(frozen=True)
class Decoded:
    """A finished shard of frames, as those who read it see it.

    Attributes:
        group: the group of videos it holds.
        path: where it stands.
        footer: what it says of itself.
        videos: its videos as the manifest has them now.
    """

    group: str
    path: Path
    footer: Footer
    videos: list[VideoTask]

    def rows(self) -> Iterator[pa.Table]:
        """Frames, a row group (64 rows) at a time. What their reader freed is given back as it goes on."""
        for number, rows in enumerate(iter_rows(self.path), 1):
            yield rows
            if number % _GROUPS_A_GIVING_BACK == 0:
                release_memory()


def note_missing(stage: DecodeStage, missing: list[str], progress: Progress) -> None:
    """Say that some groups of videos are not decoded yet, so that nobody takes a part for the whole."""
    if missing:
        progress.note(f"{stage.folder}: {len(missing)} shards of frames are not there yet. Run {stage.command}")


def decoded_shards(stage: DecodeStage) -> tuple[list[Decoded], list[str]]:
    """The frames that are there, and the groups that are not.

    Needs no video. A shard whose clips changed since it was decoded is refused, since its frames
    would be those of other intervals.

    Raises:
        MissingUpstream: no shard is there, or one is out of date.
    """
    found: list[Decoded] = []
    missing: list[str] = []
    for unit in stage.units_by_clips():
        footer = known_footer(unit.path)
        if footer is None:
            missing.append(unit.group)
            continue
        clips = {name: value for name, value in footer.inputs.items() if name.startswith("clips of ")}
        if clips != dict(unit.inputs):
            raise MissingUpstream(f"{unit.path}: its clips changed since it was decoded. Run {stage.command}")
        found.append(Decoded(unit.group, unit.path, footer, unit.payload))
    if not found:
        raise MissingUpstream(f"{stage.folder}: no frames. Run {stage.command}")
    return found, missing


def decoded_plans(workspace: Workspace, dataset: str, split: str) -> dict[str, FramePlan]:
    """The frame plans that a split has frames of, by folder name."""
    footers = {folder.name: any_footer(folder) for folder in subfolders(workspace.frames(dataset, split))}
    return {name: FramePlan(**footer.params["plan"]) for name, footer in footers.items() if footer is not None}


def plan_of(workspace: Workspace, dataset: str, split: str, slug: str | None) -> FramePlan:
    """The frame plan a later stage is to read: the named one, the only one there, else the default.

    Raises:
        MissingUpstream: nothing is decoded, or not under that name.
        InputError: several plans are there and none was named.
    """
    folder = workspace.frames(dataset, split)
    plans = decoded_plans(workspace, dataset, split)
    if not plans:
        command = command_line("decode", None, dataset, split=split, root=workspace.root)
        raise MissingUpstream(f"{folder}: no frames. Run {command}")
    if slug is not None and slug not in plans:
        raise MissingUpstream(f"{folder}: no frame plan {slug}; there are {', '.join(plans)}.")
    if slug is None and len(plans) > 1 and default_plan(split).slug not in plans:
        raise InputError(f"{folder}: several frame plans ({', '.join(plans)}); choose one with --plan.")
    return plans[slug or (next(iter(plans)) if len(plans) == 1 else default_plan(split).slug)]
