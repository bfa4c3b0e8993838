"""Draw the parts of training pictures once and keep them.

The parts are single things and action scenes. They are saved in a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from packaged_models.encoder.actions import PICTURES_A_SCENE, action_scene
from packaged_models.encoder.pictures import DRAWN, SIDE
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.engine.workers import Outcome
from pocket_kitchens.drawing.objects import KINDS, draw_object
from pocket_kitchens.missing import make_missing
from pocket_kitchens.world import INSTANCES

SCENES_A_FILE = 18 * 10
"""Action scenes per file: ten of each verb."""

_TIMEOUT_S = 600.0

_Job = tuple[Path, Callable[[Path], None]]


@dataclass(frozen=True)
class Drawings:
    """Drawings in a folder: ``things/<kind>.npy`` and ``actions/<number>.npz``.

    Attributes:
        folder: folder of the drawings.
        instances: number of instances of each kind.
        scenes: number of action scenes.
        seed: seed of the scenes.
    """

    folder: Path
    instances: int
    scenes: int
    seed: int

    def draw_things(self, workers: int, progress: Progress) -> None:
        """Draw the missing things.

        Args:
            workers: number of processes.
            progress: updated with each file.
        """
        jobs = [(self._things(kind), partial(_draw_things, kind, self._instances())) for kind in KINDS]
        self._draw("draw things", jobs, workers, progress)

    def draw_actions(self, workers: int, progress: Progress) -> None:
        """Draw the missing action scenes.

        Args:
            workers: number of processes.
            progress: updated with each file.
        """
        jobs = [(self._actions(number), partial(_draw_actions, self.seed, number)) for number in range(self._files())]
        self._draw("draw actions", jobs, workers, progress)

    def _draw(self, what: str, jobs: Sequence[_Job], workers: int, progress: Progress) -> None:
        make_missing(what, _do, [(job[0], job) for job in jobs], workers, _TIMEOUT_S, self._failed, progress)

    def _failed(self, outcome: Outcome) -> RuntimeError:
        return RuntimeError(f"{self.folder}: a drawing failed ({outcome.reason}: {outcome.error})")

    def things(self) -> list[np.ndarray]:
        """Open the drawings of things, one array per kind.

        Returns:
            uint8 ``[instances, 96, 96, 4]`` for each kind, in the order of ``KINDS``; read from disk as needed.
        """
        return [np.load(self._things(kind), mmap_mode="r") for kind in KINDS]

    def actions(self) -> tuple[list[str], list[str], np.ndarray]:
        """Load the action scenes.

        Returns:
            Verb and noun of each scene, and its pictures, uint8 ``[scenes, 4, 128, 128, 3]``.
        """
        verbs: list[str] = []
        nouns: list[str] = []
        pictures = np.zeros((self._files() * SCENES_A_FILE, PICTURES_A_SCENE, SIDE, SIDE, 3), np.uint8)
        for number in range(self._files()):
            with np.load(self._actions(number), allow_pickle=False) as file:
                verbs += file["verbs"].tolist()
                nouns += file["nouns"].tolist()
                pictures[number * SCENES_A_FILE : (number + 1) * SCENES_A_FILE] = file["pictures"]
        return verbs, nouns, pictures

    def _instances(self) -> range:
        return INSTANCES["pretraining"][: self.instances]

    def _files(self) -> int:
        return -(-self.scenes // SCENES_A_FILE)

    def _things(self, kind: str) -> Path:
        first = self._instances().start
        return self.folder / f"things-{first}-{self.instances}" / f"{kind.replace(' ', '-')}.npy"

    def _actions(self, number: int) -> Path:
        return self.folder / f"actions-{self.seed}" / f"{number:04d}.npz"


def _do(job: _Job, heartbeat: Callable[[], None]) -> None:
    path, draw = job
    with replace_atomically(path) as temporary:
        draw(temporary)
    heartbeat()


def _draw_things(kind: str, instances: range, path: Path) -> None:
    drawn = np.stack([draw_object(kind, instance, DRAWN) for instance in instances])
    with path.open("wb") as file:
        np.save(file, drawn)


def _draw_actions(seed: int, number: int, path: Path) -> None:
    scenes = [action_scene(seed, number * SCENES_A_FILE + index) for index in range(SCENES_A_FILE)]
    with path.open("wb") as file:
        np.savez(
            file,
            verbs=np.array([scene.verb for scene in scenes]),
            nouns=np.array([scene.noun for scene in scenes]),
            pictures=np.stack([scene.pictures for scene in scenes]),
        )
