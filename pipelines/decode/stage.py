"""Decode each video once and store every wanted frame as a JPEG."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.remote.access import current
from data_manifests.remote.path import is_remote
from pipelines.decode.absent import about_absent
from pipelines.decode.identities import MISSING, identities
from pipelines.decode.look_through import recalled
from pipelines.decode.media_rules import USUAL, MediaRules
from pipelines.decode.options import DecodeOptions
from pipelines.decode.plan import FramePlan
from pipelines.decode.read_anew import ORDER_OF_OUTPUT, read_anew
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
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Footer, Layout, any_footer, iter_rows, known_footer
from pipelines.engine.stage import OpenShard, Unit
from pipelines.engine.workspace import Workspace, subfolders

_JPEG_BYTES = 20_000
_GROUPS_A_GIVING_BACK = 8
_INDEXES = "packet-indexes"
_PLACED = ("video_id", "path", "kind", "offset_s", "jpeg_rate", "duration_s")


def default_plan(split: str) -> FramePlan:
    """Return the default frame plan of a split.

    It has three candidates per segment for train, to draw from, and the segment centres for other splits.
    """
    return FramePlan(candidates=3 if split == "train" else 1)


@dataclass
class _Pending:
    unit: Unit
    tasks: dict[str, VideoTask]
    outcomes: dict[str, Any] = field(default_factory=dict)


@dataclass
class DecodeStage:
    """The stage that decodes one split of a dataset by one plan.

    See :class:`pipelines.engine.stage.Stage`.
    """

    workspace: Workspace
    dataset: str
    split: str
    plan: FramePlan
    workers: int = 1
    timeout_s: float = DecodeOptions.video_timeout
    rules: MediaRules = USUAL
    """What the media may ask for; the roots are those of the dataset."""
    function: Callable[[VideoTask, Callable[[], None]], dict[str, Any]] | None = None
    """Function that a worker process runs on a video; :func:`pipelines.decode.worker.decode_video` when None."""

    _said: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    name = "decode"
    counted = "frames"
    version = 4
    layout: Layout = FRAMES_LAYOUT
    sides: Mapping[str, Layout] = field(default_factory=lambda: SIDES)

    @property
    def title(self) -> str:
        """Dataset and split, for progress reports."""
        return f"{self.dataset} {self.split}"

    @property
    def params(self) -> Mapping[str, Any]:
        """The frame plan, as plain values."""
        return {"plan": asdict(self.plan)}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Dataset, split and plan of the frames."""
        return {"dataset": self.dataset, "split": self.split, "plan": self.plan.slug}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of the decoding and encoding libraries."""
        return versions("av", "opencv-python", "numpy", "pyarrow")

    @property
    def folder(self) -> Path:
        """Folder of the shards, ``frames/<dataset>/<split>/<plan>``."""
        return self.workspace.frames(self.dataset, self.split, self.plan.slug)

    @property
    def command(self) -> str:
        """Command line that makes these shards."""
        plan = self.plan
        candidates = None if plan.candidates == default_plan(self.split).candidates else plan.candidates
        options = DecodeOptions(plan.segments, candidates, plan.short_side, plan.quality)
        return command_line("decode", options, self.dataset, split=self.split, root=self.workspace.root)

    def units(self) -> list[Unit]:
        """List one unit per group of videos.

        Its inputs are the digests of the clips' times and of the identity of each file. Frames of a file that is gone
        by now (a disk that is not mounted, a download that was deleted) are kept: such a file counts as unchanged.
        """
        units = []
        by_clips = self.units_by_clips()
        tasks = [task for unit in by_clips for task in unit.payload]
        found_now = identities(tasks, self._identity, remote=self._asks_a_store and not current().offline)
        for unit in by_clips:
            files = {f"file of {task.video_id}": found_now[task.video_id] for task in unit.payload}
            if MISSING in files.values():
                there = known_footer(unit.path)
                before = there.inputs if there else {}
                files |= {name: before.get(name, MISSING) for name, found in files.items() if found == MISSING}
            inputs = {**unit.inputs, **files}
            units.append(Unit(unit.group, unit.path, inputs, unit.attempted, unit.size, unit.payload))
        return units

    def units_by_clips(self) -> list[Unit]:
        """List the same units with the clips as their only inputs.

        Needs no video, so later stages use it to find the shards.
        """
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
        """Decode videos in parallel worker processes and write the shards.

        Videos of several shards are decoded side by side. A shard is written when its last video is done.

        Raises:
            MissingUpstream: none of the split's videos is there, or a shard with frames of videos that are gone would
                be made again without them.
        """
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
                progress.advance(self._planned_frames(waiting.tasks[video_id]))
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

    @property
    def _asks_a_store(self) -> bool:
        return any(map(is_remote, self.workspace.datasets[self.dataset].roots))

    def _refuse_to_lose(self, unit: Unit) -> None:
        gone = [task for task in unit.payload if self._file(task) is None]
        if any(task.path for task in gone) and current().offline and self._asks_a_store:
            raise InputError(
                f"{unit.path}: its videos lie under {self._roots}, and --offline forbids the network. Leave it out (or "
                "XMIC_OFFLINE), or copy the videos to a local folder and run the same xmic prepare with --videos."
            )
        lost = [task for task in gone if unit.inputs[f"file of {task.video_id}"] != MISSING]
        there = known_footer(unit.path)
        if lost and there and there.rows:
            raise MissingUpstream(
                f"{unit.path}: must be made again, but the files of {len(lost)} of its videos are gone and their "
                f"frames would be lost; the first is {lost[0].path or lost[0].video_id}, searched under {self._roots}. "
                "Put them back (is the disk mounted?) and run the same xmic prepare again, or remove this shard to do "
                "without them."
            )

    def _refuse_nothing(self) -> None:
        """Raise an error if no video of the split is there, after a run that found none."""
        tasks = [task for unit in self.units_by_clips() for task in unit.payload]
        if tasks and not any(self._file(task) for task in tasks):
            found = about_absent(self.workspace, self.dataset, self.split)
            if found:
                raise MissingUpstream(f"{self.title}: none of its {len(tasks)} videos can be read. {'. '.join(found)}.")
            first = tasks[0].path or tasks[0].video_id
            raise MissingUpstream(
                f"{self.title}: none of its {len(tasks)} videos is there; the first, {first}, was searched under "
                f"{self._roots}. Is the disk mounted? Other roots: the same xmic prepare with --videos."
            )

    @property
    def _roots(self) -> str:
        return ", ".join(self.workspace.datasets[self.dataset].roots) or "no root"

    def _task(self, video: Mapping[str, Any], clips: Sequence[Clip], shares_file: bool) -> VideoTask:
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
        # Nothing outside the roots is read, not even for its digest. The worker names such a link.
        if found is None or self._rules_here.leaves_roots(found):
            return MISSING
        digests = self.workspace.file_digests
        size, content = 0, ""
        if found.is_dir():
            content = digests.listing(found)
        else:
            size, content = found.stat().st_size, digests.head_and_tail(found)
        # For JPEGs the annotated rate and length decide whether they are those of another frame rate.
        facts: list[Any] = [task.jpeg_rate, task.duration_s] if task.kind in ("frames", "tar") else []
        if found.is_file() and read_anew(found):
            facts.append(ORDER_OF_OUTPUT)
        return digest_json([task.path, task.kind, task.offset_s, size, content, *facts])

    def _placed(self, task: VideoTask, scratch: Path, group: str) -> VideoTask:
        found = self._file(task)
        output = scratch / group / digest_json(task.video_id)[:24]
        output.parent.mkdir(parents=True, exist_ok=True)
        # Videos of one file are scattered over the groups, so its index outlives theirs.
        indexes = str(scratch / _INDEXES) if task.shares_file else ""
        path = str(found) if found else None
        clips = list(task.clips)  # the worker draws them one by one
        return replace(task, path=path, clips=clips, output=str(output), indexes=indexes, rules=self._rules_here)

    @cached_property
    def _rules_here(self) -> MediaRules:
        return replace(self.rules, roots=self.workspace.datasets[self.dataset].roots)

    def _append(self, shard: ShardWriter, task: VideoTask, outcome: Any, progress: Progress) -> None:
        if outcome.reason is not None:
            rows = self._planned_frames(task)
            shard.fail(outcome.reason, outcome.error or "", video_id=task.video_id, rows=rows)
            if outcome.reason != "missing_video":
                progress.note(f"{task.video_id}: {outcome.reason}: {outcome.error}")
            return
        result = outcome.value
        for name, write in (
            ("frames", shard.write),
            ("clip_frames", lambda t: shard.write_side("clip_frames", t)),
        ):
            # Not memory-mapped: the pages of a long video's frames would count as memory of this process to the end.
            with pa.OSFile(f"{task.output}.{name}.arrow", "rb") as source, pa.ipc.open_stream(source) as stream:
                for batch in stream:
                    write(pa.Table.from_batches([batch]))
        shard.write_side("videos", [result["video"]])
        for failure in result["failures"]:
            shard.fail(**failure, video_id=task.video_id)
        on_disk = task.path is not None and not is_remote(task.path)
        seen = recalled(self.workspace.probes, task.kind, Path(task.path or "")) if on_disk else None
        if seen and seen.damage:
            progress.note(f"{task.video_id}: {seen.damage}, as seen by --check --deep of xmic prepare")
        if result["video"].get("fallback"):
            progress.note(f"{task.video_id}: read from start to end, because {result['video']['fallback']}")
        for note in result.get("notes", []):
            if note not in self._said:
                self._said.add(note)
                progress.note(f"{task.video_id}: {note} (said once for all videos of the split)")

    def _planned_frames(self, task: VideoTask) -> int:
        return len(task.clips) * self.plan.segments * self.plan.candidates

    def remove_old_scratch(self) -> None:
        """Remove the frames that killed runs had decoded but not committed."""
        remove_leftovers(self.workspace.scratch, "decode-")

    def _fresh_scratch(self) -> Path:
        scratch = self.workspace.scratch / temporary_name("decode-")
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch


@dataclass(frozen=True)
class Decoded:
    """A finished shard of frames, for later stages.

    Attributes:
        group: the group of videos it holds.
        path: file of the shard.
        footer: footer of the shard.
        videos: its videos, with the manifest's current values.
    """

    group: str
    path: Path
    footer: Footer
    videos: list[VideoTask]

    def rows(self) -> Iterator[pa.Table]:
        """Read the frames by row group (64 rows).

        The memory that the caller has freed is returned to the system every 8 row groups.
        """
        for number, rows in enumerate(iter_rows(self.path), 1):
            yield rows
            if number % _GROUPS_A_GIVING_BACK == 0:
                release_memory()


def lacking_frames(stage: DecodeStage, missing: list[str], folder: Path) -> list[Unit]:
    """List a later stage's units whose frames are not decoded yet.

    Args:
        stage: the decode stage that makes the frames.
        missing: the groups, of :func:`decoded_shards`.
        folder: folder of the later stage.
    """
    lacks = f"its frames: run {stage.command}"
    return [Unit(group, folder / f"part-{group}.parquet", {}, lacks=lacks) for group in missing]


def decoded_shards(stage: DecodeStage) -> tuple[list[Decoded], list[str]]:
    """Find the decoded shards of a stage, and the missing groups.

    Needs no video. A shard whose clips changed since it was decoded is refused, since its frames would be those of
    other intervals.

    Returns:
        The shards, and the names of the groups of videos without one.

    Raises:
        MissingUpstream: there is no shard, or one is out of date.
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
    """Find the frame plans of a split's decoded frames, by folder name."""
    footers = {folder.name: any_footer(folder) for folder in subfolders(workspace.frames(dataset, split))}
    return {name: FramePlan(**footer.params["plan"]) for name, footer in footers.items() if footer is not None}


def plan_of(workspace: Workspace, dataset: str, split: str, slug: str | None) -> FramePlan:
    """Choose the frame plan that a later stage reads.

    It is the named one; without a name, the only one that has frames, else the default.

    Raises:
        MissingUpstream: no plan has frames, or the named one has none.
        InputError: no plan is named, several have frames, and the default has none.
    """
    folder = workspace.frames(dataset, split)
    plans = decoded_plans(workspace, dataset, split)
    if not plans:
        command = command_line("decode", None, dataset, split=split, root=workspace.root)
        damaged = next(iter(sorted(folder.glob("*/part-*.parquet"))), None)
        there = f"{damaged} is damaged, and no other frames are there" if damaged else f"{folder}: no frames"
        raise MissingUpstream(f"{there}. Run {command}")
    if slug is not None and slug not in plans:
        raise MissingUpstream(f"{folder}: no frame plan {slug}; there are {', '.join(plans)}.")
    if slug is None and len(plans) > 1 and default_plan(split).slug not in plans:
        raise InputError(f"{folder}: several frame plans ({', '.join(plans)}); choose one with --plan.")
    return plans[slug or (next(iter(plans)) if len(plans) == 1 else default_plan(split).slug)]
