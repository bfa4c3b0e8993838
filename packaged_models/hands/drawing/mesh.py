"""Fetch and read the rigged hand that is drawn.

It is the MIT-licensed generic hand of the npm package ``@webxr-input-profiles/assets``. It is fetched, never kept in
the repository.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import InputError, MissingUpstream
from pipelines.engine.atomic import replace_atomically

PACKAGE = "@webxr-input-profiles/assets@1.0.20"
ARCHIVE = "webxr-input-profiles-assets-1.0.20.tgz"
ARCHIVE_SHA512 = (
    "57ff0d078630826fff4c154c828d13809f43b71b01a28d2289a17c01d7e23f41"
    "747206f092e43270464020eb2997277f899f0bde6ac560d2410baaf341be2d24"
)
MEMBER = "package/dist/profiles/generic-hand/right.glb"
MESH_FILE = "generic-hand-right.glb"
_FETCH_LIMIT_S = 600

FINGERS = ("thumb", "index-finger", "middle-finger", "ring-finger", "pinky-finger")
_BONES = ("metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")

JOINTS = (
    "wrist",
    *(f"{finger}-{bone}" for finger in FINGERS for bone in _BONES if (finger, bone) != ("thumb", _BONES[2])),
)
"""The 25 joints of WebXR's hand, the wrist first, each finger from the metacarpal to the tip."""

PARENTS = tuple(
    -1 if joint == "wrist" else 0 if joint.endswith("metacarpal") else index - 1 for index, joint in enumerate(JOINTS)
)
"""Index of the parent of each joint, -1 for the wrist."""

# From the file's axes (fingers −y, palm −x, thumb −z) to ours.
_TO_OURS = np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]])

_COMPONENTS: dict[int, np.dtype[Any]] = {
    5121: np.dtype("u1"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True, eq=False)
class HandMesh:
    """Mesh of a right hand at rest, in metres.

    The axes are x to the thumb's side, y to the fingertips, z out of the palm. The wrist is at 0.

    Attributes:
        vertices: float64 ``[V, 3]``.
        triangles: int64 ``[T, 3]``, counter-clockwise seen from outside.
        uv: float32 ``[V, 2]``.
        weights: float64 ``[V, 25]``, rows sum to 1.
        joints: float64 ``[25, 4, 4]``, the joints of :data:`JOINTS` at rest: −z along the bone, y to the back.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    weights: np.ndarray
    joints: np.ndarray


def fetch_mesh(folder: Path) -> Path:
    """Fetch the mesh file with ``npm pack`` unless it exists.

    A package that was fetched by hand and lies in the folder is used.

    Raises:
        MissingUpstream: the file does not exist and npm cannot fetch it.
        InputError: the fetched file is another one.
    """
    found = folder / MESH_FILE
    if not found.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            archive = folder / ARCHIVE
            data = _member(archive if archive.is_file() else _packed(Path(temporary), folder))
        with replace_atomically(found) as path:
            path.write_bytes(data)
    return found


def _packed(temporary: Path, folder: Path) -> Path:
    npm = shutil.which("npm")
    why = "npm is not installed"
    if npm is not None:
        try:
            subprocess.run(
                [npm, "pack", PACKAGE, "--silent"],
                cwd=temporary,
                check=True,
                capture_output=True,
                timeout=_FETCH_LIMIT_S,
            )
            return temporary / ARCHIVE
        except subprocess.TimeoutExpired:
            why = f"npm gave no answer for {_FETCH_LIMIT_S} s"
        except subprocess.CalledProcessError as error:
            why = (error.stderr.decode(errors="replace").strip().splitlines() or ["npm failed"])[-1]
    raise MissingUpstream(
        f"{folder}: there is no {MESH_FILE}, and it could not be fetched ({why}). Where there is a network, run "
        f"npm pack {PACKAGE}, put {ARCHIVE} into this folder, and run the same command again."
    )


def _member(archive: Path) -> bytes:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").hexdigest()
    if digest != ARCHIVE_SHA512:
        raise InputError(f"{archive}: its sha512 is {digest[:16]}…, expected {ARCHIVE_SHA512[:16]}… of {PACKAGE}.")
    with tarfile.open(archive) as packed:
        member = packed.extractfile(MEMBER)
        assert member is not None, "the sha512 is that of an archive that has it"
        return member.read()


def read_mesh(file: Path) -> HandMesh:
    """Read a hand from a binary glTF 2.0 file.

    Source: Khronos' specification, sections 3.6, 3.7.3 and 4.4.

    Raises:
        InputError: the file is no such file, or has no hand with WebXR's joints.
    """
    content = file.read_bytes()
    try:
        magic, version, _ = struct.unpack_from("<4sII", content)
        if magic != b"glTF" or version != 2:
            raise InputError(f"{file}: not a binary glTF 2.0 file.")
        length = struct.unpack_from("<I", content, 12)[0]
        scene = json.loads(content[20 : 20 + length])
        reader = _Accessors(scene, content[28 + length :])
        attributes = scene["meshes"][0]["primitives"][0]["attributes"]
        triangles = reader.read(scene["meshes"][0]["primitives"][0]["indices"]).reshape(-1, 3)
        skin = scene["skins"][0]
        names = [scene["nodes"][node]["name"] for node in skin["joints"]]
        order = [names.index(joint) for joint in JOINTS]
        # glTF stores matrices column by column.
        inverse = reader.read(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)[order].astype(np.float64)
        vertices = reader.read(attributes["POSITION"]).astype(np.float64)
        weights = np.zeros((len(vertices), len(names)))
        influences = reader.read(attributes["JOINTS_0"]).astype(np.int64)
        np.add.at(weights, (np.arange(len(vertices))[:, None], influences), reader.read(attributes["WEIGHTS_0"]))
        uv = reader.read(attributes["TEXCOORD_0"])
    except (KeyError, IndexError, ValueError, struct.error) as error:
        raise InputError(f"{file}: not a rigged hand with WebXR's 25 joints ({error}).") from error
    joints = np.linalg.inv(inverse)
    frame = np.eye(4)
    frame[:3, :3] = _TO_OURS
    frame[:3, 3] = -_TO_OURS @ joints[0, :3, 3]
    weights = weights[:, order] / weights.sum(axis=1, keepdims=True)
    return HandMesh(vertices @ _TO_OURS.T + frame[:3, 3], triangles.astype(np.int64), uv, weights, frame @ joints)


class _Accessors:
    """Reader of the arrays of a glTF file by number."""

    def __init__(self, scene: dict[str, Any], binary: bytes) -> None:
        self._scene, self._binary = scene, binary

    def read(self, number: int) -> np.ndarray:
        accessor = self._scene["accessors"][number]
        view = self._scene["bufferViews"][accessor["bufferView"]]
        width = _WIDTHS[accessor["type"]]
        start: int = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        kind: np.dtype[Any] = _COMPONENTS[accessor["componentType"]]
        values = np.frombuffer(self._binary, kind, accessor["count"] * width, start)
        return values.reshape(-1, width) if width > 1 else values
