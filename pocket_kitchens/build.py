"""Build a world of Pocket Kitchens on disk.

One domain is written as EPIC-KITCHENS-100, the other as Ego4D.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from data_manifests.drawn_world import WORLD_FILE
from data_manifests.errors import InputError, UsageError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.engine.workers import Outcome
from pocket_kitchens import as_ego4d, as_epic, box_tables
from pocket_kitchens.drawing.domains import EGO4D, EPIC, Domain
from pocket_kitchens.film import film
from pocket_kitchens.missing import make_missing
from pocket_kitchens.world import SIZES, PlannedVideo, Size, noun_predicts_verb, plan_world

VERSION = 2
"""Number to increase when the same seed and size give another world than before."""

FORMS: dict[str, Any] = {"epic": as_epic, "ego4d": as_ego4d}
"""The module that writes each domain, by its name."""

_TIMEOUT_S = 120.0


@dataclass
class BuiltWorld:
    """Folder and contents of a built world.

    Attributes:
        folder: the world's folder.
        clips: domain → split → number of clips.
        videos: domain → number of files.
        noun_predicts_verb: domain → :func:`pocket_kitchens.world.noun_predicts_verb` in percent.
        made: number of videos rendered by this call.
    """

    folder: str
    clips: dict[str, dict[str, int]] = field(default_factory=dict)
    videos: dict[str, int] = field(default_factory=dict)
    noun_predicts_verb: dict[str, float] = field(default_factory=dict)
    made: int = 0


@dataclass(frozen=True)
class _Task:
    folder: str
    domain: Domain
    video: PlannedVideo

    @property
    def path(self) -> Path:
        return Path(self.folder) / FORMS[self.domain.name].video_path(self.video)


def build_world(folder: Path, size: str, seed: int, workers: int, progress: Progress) -> BuiltWorld:
    """Render every missing video and write the annotations.

    Args:
        folder: the world's folder; it is made when it does not exist.
        size: a key of :data:`pocket_kitchens.world.SIZES`.
        seed: seed of the world.
        workers: number of processes.
        progress: updated with each video.

    Raises:
        UsageError: an unknown size.
        InputError: the folder holds another world or other files, or a video could not be rendered.
    """
    if size not in SIZES:
        raise UsageError(f"--size {size}: expected {', '.join(SIZES)}")
    return build(folder, SIZES[size], seed, workers, progress)


def build(folder: Path, size: Size, seed: int, workers: int, progress: Progress) -> BuiltWorld:
    """Build a world as :func:`build_world`, with any number of clips."""
    _claim(folder, {"version": VERSION, "seed": seed, **asdict(size), "per_video": list(size.per_video)})
    result = BuiltWorld(str(folder))
    plans = {domain.name: (domain, plan_world(domain, size, seed)) for domain in (EPIC, EGO4D)}
    tasks = [_Task(str(folder), domain, video) for domain, videos in plans.values() for video in videos]
    # A video is renamed to its place after its boxes, so it says that both are there.
    files = [(task.path, task) for task in tasks]
    result.made = make_missing("render", _render, files, workers, _TIMEOUT_S, partial(_failed, folder), progress)
    for name, (domain, videos) in plans.items():
        splits = {"train": size.train, "test": size.test}
        result.clips[name], result.videos[name] = splits, len(videos)
        result.noun_predicts_verb[name] = noun_predicts_verb(videos)
        FORMS[name].write_annotations(folder, domain, videos)
        box_tables.join_parts(folder, name, [FORMS[name].video_name(video) for video in videos])
    return result


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Record the world of a folder.

    A folder that holds another world or other files is refused.
    """
    file = folder / WORLD_FILE
    if file.is_file():
        there = json.loads(file.read_text(encoding="utf-8"))
        if there != facts:
            raise InputError(f"{folder}: holds the world {there}, asked for {facts}. Choose another folder.")
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: is not empty and holds no Pocket Kitchens. Choose another folder.")
    with replace_atomically(file) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")


def _render(task: _Task, heartbeat: Callable[[], None]) -> None:
    with replace_atomically(task.path) as temporary:
        truth = film(task.video, task.domain, temporary, heartbeat)
        name, folder = task.domain.name, Path(task.folder)
        box_tables.write_part(folder, name, FORMS[name].video_name(task.video), truth, task.domain.fps)
        if name == "epic":
            as_epic.write_boxes(folder, task.video, truth, task.domain.fps)


def _failed(folder: Path, outcome: Outcome) -> InputError:
    return InputError(f"{folder}: a video could not be rendered ({outcome.reason}: {outcome.error})")
