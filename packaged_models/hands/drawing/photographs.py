"""Photographs that are put behind and between the drawn hands.

They are scenes, and things cut out of their background.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_manifests.errors import InputError
from pipelines.engine.digest import digest_json, whole_file_sha256
from pocket_kitchens.drawing.layers import Layer, prepared

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_SCENE, _THING = 800, 160  # longer sides that are kept, pixels
_NEARER = 3.0  # a scene is shown whole or so much larger at most
_OPAQUE = 250  # an opacity from here on hides what is behind


@dataclass(frozen=True, eq=False)
class Photographs:
    """Scenes and cut-out things of a folder.

    Attributes:
        scenes: uint8 ``[H, W, 3]`` RGB each: opaque pictures.
        things: pictures with transparent pixels.
        digest: eight hexadecimal digits of a digest of the files' contents.
    """

    scenes: tuple[np.ndarray, ...]
    things: tuple[Layer, ...]
    digest: str

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.scenes) + len(self.things)

    def scene(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """Cut a random part of a scene, turned a little.

        Returns:
            float32 ``[height, width, 3]``, 0 to 255.
        """
        picture = self.scenes[int(rng.integers(len(self.scenes)))]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        there = np.array([picture.shape[1], picture.shape[0]], np.float64)
        wanted = np.array([width, height], np.float64)
        scale = float((wanted / there).max() * np.exp(rng.uniform(0, np.log(_NEARER))))
        room = np.maximum(there - wanted / scale, 0)
        middle = rng.uniform(0, 1, 2) * room + wanted / scale / 2
        turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), float(rng.normal(0, 8)), scale)
        by = np.asarray(turn, np.float64)
        by[:, 2] += wanted / 2 - middle
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        shrunk, by = _shrunk(np.ascontiguousarray(picture), by, scale)
        return cv2.warpAffine(shrunk, by, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101).astype(
            np.float32
        )


def _shrunk(picture: np.ndarray, by: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Halve a picture as often as its map shrinks it by more.

    The map from the smaller picture is returned too. So the result has no aliasing.
    """
    while scale < 0.5:
        picture, by, scale = cv2.pyrDown(picture), by * np.array([2.0, 2.0, 1.0]), scale * 2
    return picture, by


def _files(folder: Path) -> dict[str, Path]:
    """List the pictures below a folder by their sha256, sorted.

    A picture that lies there twice counts once.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of photographs.")
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _ENDINGS and path.is_file()]
    if not found:
        raise InputError(f"{folder}: has no photographs ({', '.join(_ENDINGS)}).")
    return dict(sorted((whole_file_sha256(path), path) for path in found))


@functools.lru_cache(maxsize=1)
def read_photographs(folder: Path) -> Photographs:
    """Read a folder of photographs that show no hands.

    The photographs are in the order of their contents: names do not matter.

    Raises:
        InputError: the folder does not exist or has no picture; a file is not readable; or no picture is opaque, or
            none
            is cut out.
    """
    scenes, things = [], []
    files = _files(folder)
    for path in files.values():
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.dtype != np.uint8 or (picture.ndim == 3 and picture.shape[2] not in (3, 4)):
            raise InputError(f"{path}: not a readable picture of 8 bits a colour.")
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        if picture.shape[2] == 4 and int(picture[..., 3].min()) < _OPAQUE:
            things.append(prepared(_at_most(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), _THING)))
        else:
            scenes.append(_at_most(cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2RGB), _SCENE))
    for what, some in (("opaque pictures, for scenes", scenes), ("pictures with transparency, for things", things)):
        if not some:
            raise InputError(f"{folder}: has no {what}; both kinds are needed.")
    return Photographs(tuple(scenes), tuple(things), digest_json(list(files))[:8])


def _at_most(picture: np.ndarray, longer: int) -> np.ndarray:
    scale = longer / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
