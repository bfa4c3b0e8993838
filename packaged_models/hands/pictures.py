"""Draw pictures once, in parallel processes, and read them from disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from packaged_models.hands.drawing.mesh import read_mesh
from packaged_models.hands.drawing.photographs import read_photographs
from packaged_models.hands.drawing.pocket_frames import pocket_pictures
from packaged_models.hands.drawing.scene import SIDES, Picture, draw_picture
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import digest_json, whole_file_sha256
from pipelines.engine.progress import Progress
from pipelines.engine.workers import Outcome
from pocket_kitchens.missing import make_missing

A_FILE = 200
"""Pictures per file."""

POCKET = 30
"""Frames of the pocket world among the pictures of a file."""

LONGER = 320
"""Longer side of a picture, pixels."""

_QUALITY = 93
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class DrawnPictures:
    """Drawn training pictures in files of 200 pictures each.

    They are :class:`pipelines.hands.finetune.pictures.Pictures`.

    Attributes:
        folder: the folder of the files.
        mesh: the hand's file (:func:`packaged_models.hands.drawing.mesh.fetch_mesh`).
        seed: seed of the pictures.
        files: number of files.
        photographs: folder of photographs that are put behind and between the hands.
        names: names of the classes of hands.
    """

    folder: Path
    mesh: Path
    seed: int
    files: int
    photographs: Path | None = None
    names: tuple[str, ...] = tuple(f"{side} hand" for side in SIDES)

    def draw(self, workers: int, progress: Progress) -> None:
        """Draw the missing files.

        Args:
            workers: number of processes.
            progress: updated with each file.
        """
        cv2.setNumThreads(1)
        tasks = [
            (self._file(number), (self._file(number), self.mesh, self.seed, number, self.photographs))
            for number in range(self.files)
        ]
        make_missing("draw pictures", _draw_file, tasks, workers, _TIMEOUT_S, self._failed, progress)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return self.files * A_FILE

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read a picture with the boxes and sides of its hands.

        Returns:
            Picture, boxes and sides as :class:`pipelines.hands.finetune.pictures.Pictures`: uint8 ``[H, W, 3]`` RGB,
                float32
            ``[M, 4]`` shares, int64 ``[M]``.
        """
        file, number = divmod(index, A_FILE)
        part = self._parts[file]
        mine = part["owner"] == number
        return part_picture(part, number), part["boxes"][mine], part["sides"][mine].astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """Digest of the files, which identifies pictures, classes and boxes.

        :class:`pipelines.hands.finetune.pictures.Pictures` requires it.
        """
        return digest_json([whole_file_sha256(self._file(number)) for number in range(self.files)])

    def held(self, index: int) -> np.ndarray:
        """Return the boxes of what each hand of a picture holds.

        Returns:
            float32 ``[M, 4]`` shares, NaN where a hand holds nothing.
        """
        file, number = divmod(index, A_FILE)
        found: np.ndarray = self._parts[file]["held"][self._parts[file]["owner"] == number]
        return found

    @cached_property
    def _parts(self) -> list[dict[str, np.ndarray]]:
        parts = []
        for number in range(self.files):
            with np.load(self._file(number), allow_pickle=False) as file:
                parts.append({name: file[name] for name in file.files})
        return parts

    def _file(self, number: int) -> Path:
        return self._drawings / f"{number:04d}.npz"

    @cached_property
    def _drawings(self) -> Path:
        of = "" if self.photographs is None else f"-photographs-{read_photographs(self.photographs).digest}"
        return self.folder / f"pictures-{self.seed}{of}"

    def _failed(self, outcome: Outcome) -> RuntimeError:
        return RuntimeError(f"{self.folder}: a drawing failed ({outcome.reason}: {outcome.error})")


def part_picture(part: dict[str, np.ndarray], number: int) -> np.ndarray:
    """Decode picture ``number`` of a file, uint8 ``[H, W, 3]`` RGB."""
    start = int(part["ends"][number - 1]) if number else 0
    decoded = np.asarray(cv2.imdecode(part["jpegs"][start : int(part["ends"][number])], cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def _draw_file(task: tuple[Path, Path, int, int, Path | None], heartbeat: Callable[[], None]) -> None:
    path, mesh_file, seed, number, folder = task
    cv2.setNumThreads(1)
    mesh = read_mesh(mesh_file)
    photographs = None if folder is None else read_photographs(folder)
    pictures: list[Picture] = []
    for index in range(A_FILE - POCKET):
        pictures.append(draw_picture(mesh, seed, number * A_FILE + index, LONGER, photographs))
        heartbeat()
    pictures += pocket_pictures(seed, number, POCKET)
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **packed(pictures))  # type: ignore[arg-type]


def packed(pictures: Sequence[Picture]) -> dict[str, np.ndarray]:
    """Pack pictures into the arrays of a file."""
    jpegs = [_jpeg(picture.rgb) for picture in pictures]
    hands = [(number, hand) for number, picture in enumerate(pictures) for hand in picture.hands]
    nothing = (np.nan,) * 4
    return {
        "jpegs": np.concatenate(jpegs),
        "ends": np.cumsum([len(jpeg) for jpeg in jpegs]),
        "owner": np.array([number for number, _ in hands], np.int64),
        "sides": np.array([SIDES.index(hand.side) for _, hand in hands], np.uint8),
        "boxes": np.array([hand.box for _, hand in hands], np.float32).reshape(-1, 4),
        "held": np.array([hand.held or nothing for _, hand in hands], np.float32).reshape(-1, 4),
    }


def _jpeg(rgb: np.ndarray) -> np.ndarray:
    done = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return np.asarray(done).ravel()
