"""Run ``prepare``: write manifests from annotation files.

It opens no video; a missing video is recorded and is not an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.errors import InputError, UsageError
from data_manifests.near_misses import NearMisses
from data_manifests.overlaps import overlaps
from data_manifests.readers import Reader, SplitRows
from data_manifests.remote.path import path_of
from data_manifests.remote.stores import forget
from data_manifests.schema import CLASSES, CLIPS, LABELS, REJECTS, VIDEOS
from data_manifests.shared_clips import NEEDED, shared_clips
from data_manifests.videos import FoundVideo, LeavesRoots, VideoFinder
from pipelines.engine import stage
from pipelines.engine.clips import read_clips
from pipelines.engine.digest import digest_table, whole_file_sha256
from pipelines.engine.folder_names import EXPECTED, is_folder_name
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.shards import Layout, read_rows
from pipelines.engine.stage import OpenShard, RunPolicy, Unit
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.prepare.rejected import MAX_REJECTS, first_of_each, refuse_too_many, would_reject

_FRAMES_PER_GROUP = 4096
_SEGMENTS, _CANDIDATES = 16, 3


@dataclass(frozen=True)
class OneFile:
    """Stage that writes one table.

    The table is a class list, or the clips or the videos of a split.
    """

    name: str
    title: str
    layout: Layout
    folder: Path
    file: str
    inputs: Mapping[str, str]
    params: Mapping[str, Any]
    build: Callable[[], tuple[pa.Table, Mapping[str, pa.Table]]]
    command: str
    sides: Mapping[str, Layout] = field(default_factory=dict)
    version: int = 2
    counted: str = "rows"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    def units(self) -> list[Unit]:
        """Return the single unit: the one file."""
        return [Unit(self.file, self.folder / self.file, self.inputs)]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Build the table and write it."""
        for unit in units:
            rows, sides = self.build()
            with open_shard(unit) as shard:
                shard.attempted = rows.num_rows
                shard.write(rows)
                for side, table in sides.items():
                    shard.write_side(side, table)
            yield unit


@dataclass
class Prepared:
    """Result of :func:`prepare`: counts per dataset and split.

    ``classes`` counts the classes of each label, ``classes_present`` those that occur among the clips.
    """

    dataset: str
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    clips: int = 0
    rejects: int = 0
    videos: int = 0
    missing_videos: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    classes_present: dict[str, int] = field(default_factory=dict)
    made: int = 0
    """Files written by this call; 0 when everything was there already."""
    plan: list[str] = field(default_factory=list)
    """With ``dry_run``: the files that would be written, and why."""
    would_reject: list[str] = field(default_factory=list)
    """With ``dry_run``: the rows that would be rejected, one line per split and reason."""


def prepare(
    workspace: Workspace,
    dataset: str,
    reader: Reader,
    roots: Sequence[Path],
    *,
    splits: Sequence[str] = (),
    limit: int | None = None,
    dry_run: bool = False,
    break_lock: bool = False,
    max_failures: int | float = MAX_REJECTS,
    progress: Progress | None = None,
) -> Prepared:
    """Write the manifests of a dataset's splits.

    Args:
        workspace: the workspace to write to; its settings remember the reader and the roots.
        dataset: name of the dataset in the workspace.
        reader: reads the annotation files.
        roots: video roots; the first that has a video is used.
        splits: the splits to prepare; when empty, all that the reader has.
        limit: keep only this many clips of each split, the first ones (part of the key).
        dry_run: report what would be written, and write nothing.
        break_lock: take over locks of other hosts.
        max_failures: rows of a split that may be rejected, a number (int) or a share (float).
        progress: notified of each file.

    Raises:
        UsageError: the dataset's name cannot be a folder name.
        InputError: a video root or an annotation file is wrong, or the classes are not those of the splits prepared
            before.
        TooManyFailures: more rows of a split were rejected, or all of them; the manifests are written.
    """
    progress = progress or Silent()
    forget()
    if not is_folder_name(dataset):
        raise UsageError(f"--name {dataset}: expected {EXPECTED}.")
    for root in roots:
        if not root.is_dir():  # also asks a store whether it can be reached
            raise InputError(f"--videos {root}: no such folder; expected the folder that holds the videos.")
    chosen = list(splits) or reader.splits()
    result = Prepared(dataset)
    _refuse_other_classes(workspace, dataset, reader, chosen)
    searched = list(roots) or _known_roots(workspace, dataset)
    found = {split: _found(reader, split, searched, limit) for split in chosen}
    if not dry_run:
        _remember(workspace, dataset, reader, roots, sum(item.annotated for item in found.values()))
    stages = _class_stages(workspace, dataset, reader)
    present: dict[str, set[int]] = {label: set() for label in LABELS}
    for split, item in found.items():
        if limit is not None:
            progress.note(f"{dataset} {split}: keeping the first {limit} clips only")
        clips = item.rows.clips
        stages += [
            _clips_stage(workspace, dataset, reader, split, item.rows, limit),
            _videos_stage(workspace, dataset, reader, split, item),
        ]
        if dry_run:
            result.plan += [f"{i.unit.path}: {i.why}" for s in stages for i in stage.plan(s).todo]
            result.would_reject += would_reject(f"{dataset} {split}", item.rows.rejects, item.read)
        else:
            result.made += sum(stage.run(s, RunPolicy(break_lock=break_lock), progress).made for s in stages)
            result.splits[split] = _summary(item, workspace.manifest(dataset, split))
            for label in LABELS:
                present[label] |= set(pc.unique(clips.column(f"{label}_class")).to_pylist()) - {None}
        stages = []
    for split, sentences in _shared_with_others(workspace, dataset, found).items():
        if split in result.splits:
            result.splits[split]["findings"] += sentences
    result.classes = {label: table.num_rows for label, table in reader.classes().items()}
    result.classes_present = {label: len(ids) for label, ids in present.items()}
    for counts in result.splits.values():
        for name in ("clips", "rejects", "videos", "missing_videos"):
            setattr(result, name, getattr(result, name) + counts[name])
    for split, counts in result.splits.items():
        item = found[split]
        refuse_too_many(f"{dataset} {split}", item.rows.rejects, item.read, max_failures, counts["rejects_file"])
    return result


@dataclass(frozen=True)
class _Found:
    """Rows of a split after the search for its videos.

    Attributes:
        annotated: number of clips in the annotation, without a limit.
        read: number of rows in the annotation, rejects included.
        rows: the clips, rejects, origins and findings.
        videos: the video found for each id; None where no root has one.
        near: sentences about videos that are there in another form than expected.
    """

    annotated: int
    read: int
    rows: SplitRows
    videos: Mapping[str, FoundVideo | None]
    near: Sequence[str]


def _found(reader: Reader, split: str, roots: Sequence[Path], limit: int | None) -> _Found:
    """Read a split and look for its videos.

    Rows whose video is a link out of the roots become rejects.
    """
    rows = reader.read(split)
    annotated = rows.clips.num_rows
    read = annotated + rows.rejects.num_rows
    if not read:
        files = ", ".join(str(file) for file in reader.files(split))
        raise InputError(f"split {split}: no row in {files or 'what the reader read'}; expected at least one clip.")
    if limit is not None:
        rows = SplitRows(rows.clips.slice(0, limit), rows.rejects, rows.origins[:limit], rows.findings)
    finder = VideoFinder(roots)
    videos: dict[str, FoundVideo | None] = {}
    leaving: dict[str, str] = {}
    for video_id in sorted(set(rows.clips.column("video_id").to_pylist())):
        try:
            videos[video_id] = finder.find(reader.video_places(video_id))
        except LeavesRoots as error:
            leaving[video_id] = str(error)
    near = _near(reader, roots, [video_id for video_id, video in videos.items() if video is None])
    return _Found(annotated, read, _without(rows, leaving) if leaving else rows, videos, near)


def _near(reader: Reader, roots: Sequence[Path], missing: Sequence[str]) -> list[str]:
    """Say of missing videos what lies there in another form, the first in full."""
    near_misses = NearMisses(roots)
    found = [(video_id, near_misses.find(reader.video_places(video_id))) for video_id in missing]
    sentences = [f"video {video_id} is not found: {near}" for video_id, near in found if near]
    more = f" ({len(sentences)} videos are like this)" if len(sentences) > 1 else ""
    return [f"{sentence}{more}" for sentence in sentences[:1]]


def _without(rows: SplitRows, leaving: Mapping[str, str]) -> SplitRows:
    names = zip(rows.clips.column("clip_id").to_pylist(), rows.clips.column("video_id").to_pylist(), strict=True)
    rejects: list[dict[str, Any]] = []
    kept: list[int] = []
    for index, (clip_id, video_id) in enumerate(names):
        if video_id not in leaving:
            kept.append(index)
            continue
        file, row = rows.origins[index]
        detail = leaving[video_id]
        rejects.append({"file": file, "row": row, "clip_id": clip_id, "reason": "unsafe_path", "detail": detail})
    more = pa.Table.from_pylist(rejects, schema=REJECTS)
    clips = rows.clips.take(pa.array(kept, pa.int64()))
    return SplitRows(
        clips, pa.concat_tables([rows.rejects, more]), [rows.origins[index] for index in kept], rows.findings
    )


def _summary(found: _Found, folder: Path) -> dict[str, Any]:
    clips, rejects = found.rows.clips, found.rows.rejects
    return {
        "clips": clips.num_rows,
        "rejects": rejects.num_rows,
        "reject_reasons": dict(sorted(Counter(rejects.column("reason").to_pylist()).items())),
        "first_rejects": first_of_each(rejects),
        "rejects_file": str(folder / "rejects.parquet"),
        "videos": len(found.videos),
        "missing_videos": sum(video is None for video in found.videos.values()),
        "classes_present": {
            label: pc.count_distinct(clips.column(f"{label}_class"), mode="only_valid").as_py() for label in LABELS
        },
        "overlaps": {label: vars(counts) for label, counts in overlaps(clips).items()},
        "findings": [*found.rows.findings, *found.near],
    }


def _shared_with_others(workspace: Workspace, dataset: str, found: Mapping[str, _Found]) -> dict[str, list[str]]:
    """Report the clips that each split shares with others, those prepared before included."""
    clips = {
        split: read_clips(workspace, dataset, split).read(NEEDED)
        for split in workspace.splits(dataset)
        if split not in found
    }
    return shared_clips(clips | {split: item.rows.clips for split, item in found.items()})


def _known_roots(workspace: Workspace, dataset: str) -> list[Path]:
    known = workspace.datasets.get(dataset)
    return [path_of(root) for root in known.roots] if known else []


def _remember(workspace: Workspace, dataset: str, reader: Reader, roots: Sequence[Path], clips: int) -> None:
    known = workspace.datasets.get(dataset)
    if known and known.reader != reader.name:
        raise InputError(
            f"{workspace.root}: {dataset} was prepared by the reader {known.reader}, now by {reader.name}. "
            "Choose another --name or another workspace."
        )
    groups = known.groups if known else _bucket_count(clips)
    absolute = tuple(str(root.resolve()) for root in roots) or (known.roots if known else ())
    settings = DatasetSettings(reader.name, absolute, groups)
    if Workspace.open(workspace.root).datasets.get(dataset) != settings:
        with workspace.changing():
            workspace.datasets[dataset] = settings


def _bucket_count(clips: int) -> int:
    """Return the number of buckets, a power of two.

    It is the smallest with at most 4,096 frames per bucket on average. A clip counts as 16 segments of 3
    candidates. There are at most 1,024 buckets.
    """
    buckets = 1
    while buckets < 1024 and clips * _SEGMENTS * _CANDIDATES > buckets * _FRAMES_PER_GROUP:
        buckets *= 2
    return buckets


def _refuse_other_classes(workspace: Workspace, dataset: str, reader: Reader, splits: list[str]) -> None:
    others = [split for split in workspace.splits(dataset) if split not in splits]
    if not others:
        return
    for label, table in reader.classes().items():
        file = workspace.classes_file(dataset, label)
        if file.is_file() and not read_rows(file).equals(table):
            known = set(read_rows(file).column("name").to_pylist())
            now = set(table.column("name").to_pylist())
            differing = sorted(known ^ now)[:5] or ["their order"]
            raise InputError(
                f"{dataset}: the {label} classes differ from those that {', '.join(others)} was prepared with "
                f"({', '.join(differing)}). Prepare all splits in one command, or give both the same class file."
            )


def _as_is(table: pa.Table) -> tuple[pa.Table, Mapping[str, pa.Table]]:
    return table, {}


def _file_inputs(reader: Reader, split: str) -> dict[str, str]:
    return {file.name: whole_file_sha256(file) for file in reader.files(split)}


def _class_stages(workspace: Workspace, dataset: str, reader: Reader) -> list[OneFile]:
    return [
        OneFile(
            name=f"{label} classes",
            title=dataset,
            layout=Layout(CLASSES),
            folder=workspace.classes_file(dataset, label).parent,
            file=workspace.classes_file(dataset, label).name,
            inputs={"classes": digest_table(table)},
            params={"reader": reader.name},
            build=partial(_as_is, table),
            command="xmic prepare",
        )
        for label, table in reader.classes().items()
    ]


def _clips_stage(
    workspace: Workspace, dataset: str, reader: Reader, split: str, rows: SplitRows, limit: int | None
) -> OneFile:
    # The files alone do not decide the rows: so does a video root, or which file belongs to which split.
    read = {"rows": digest_table(rows.clips), "rejects": digest_table(rows.rejects)}

    return OneFile(
        name="clips",
        title=f"{dataset} {split}",
        layout=Layout(CLIPS),
        folder=workspace.manifest(dataset, split),
        file=workspace.clips_file(dataset, split).name,
        inputs={**_file_inputs(reader, split), **read},
        params={**reader.parameters, "split": split, "limit": limit},
        build=lambda: (rows.clips, {"rejects": rows.rejects}),
        command="xmic prepare",
        sides={"rejects": Layout(REJECTS)},
    )


def _videos_stage(workspace: Workspace, dataset: str, reader: Reader, split: str, item: _Found) -> OneFile:
    counts = Counter(item.rows.clips.column("video_id").to_pylist())
    rows = []
    for video_id, found in sorted(item.videos.items()):
        rows.append(
            {
                "video_id": video_id,
                "path": found.relative if found else None,
                "kind": found.kind if found else None,
                "offset_s": found.offset_s if found else None,
                "clips": counts[video_id],
                **vars(reader.video_facts(video_id)),
            }
        )
    table = pa.Table.from_pylist(rows, schema=VIDEOS)
    return OneFile(
        name="videos",
        title=f"{dataset} {split}",
        layout=Layout(VIDEOS),
        folder=workspace.manifest(dataset, split),
        file=workspace.videos_file(dataset, split).name,
        inputs={"videos": digest_table(table)},
        params={},
        build=partial(_as_is, table),
        command="xmic prepare",
    )
