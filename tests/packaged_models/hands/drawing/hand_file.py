"""A rough hand with WebXR's joints, a box a bone, as a binary glTF file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from packaged_models.hands.drawing.mesh import JOINTS
from packaged_models.hands.drawing.solids import box

_X = {"thumb": 0.03, "index-finger": 0.025, "middle-finger": 0.005, "ring-finger": -0.015, "pinky-finger": -0.033}
_Y = {"metacarpal": 0.03, "phalanx-proximal": 0.09, "phalanx-intermediate": 0.13, "phalanx-distal": 0.155, "tip": 0.175}
# Fingers to +y and the palm to +z: bones run along −z of their joints, whose y is to the back.
_TURN = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
_TO_FILE = np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]]).T


def joint_place(joint: str) -> np.ndarray:
    """Where a joint is, metres from the wrist."""
    finger = next((finger for finger in _X if joint.startswith(finger)), None)
    if finger is None:
        return np.zeros(3)
    height = _Y[joint.removeprefix(f"{finger}-")]
    return np.array([_X[finger] + (0.02 if finger == "thumb" else 0), height * (0.6 if finger == "thumb" else 1), 0])


def write_hand(path: Path, drop: str | None = None) -> Path:
    """Write the hand; without one joint where asked for."""
    names = [joint for joint in JOINTS if joint != drop]
    vertices, triangles, owners = [], [], []
    for number, joint in enumerate(names):
        part = box(0.016, 0.03, 0.016)
        # The wrist's box reaches behind it, as the stub of a forearm does.
        at = joint_place(joint) - (np.array([0, 0.01, 0]) if joint == "wrist" else 0)
        triangles.append(part.triangles + sum(len(one) for one in vertices))
        vertices.append(part.vertices + at)
        owners += [number] * len(part.vertices)
    points = np.concatenate(vertices) @ _TO_FILE.T
    inverse = []
    for joint in names:
        world = np.eye(4)
        world[:3, :3] = _TO_FILE @ _TURN
        world[:3, 3] = _TO_FILE @ joint_place(joint)
        inverse.append(np.linalg.inv(world).T)
    influences = np.zeros((len(points), 4), np.uint8)
    influences[:, 0] = owners
    weights = np.zeros((len(points), 4), np.float32)
    weights[:, 0] = 1
    arrays: list[tuple[str, int, np.ndarray]] = [
        ("VEC3", 5126, points.astype(np.float32)),
        ("VEC2", 5126, np.zeros((len(points), 2), np.float32)),
        ("VEC4", 5121, influences),
        ("VEC4", 5126, weights),
        ("SCALAR", 5123, np.concatenate(triangles).astype(np.uint16).ravel()),
        ("MAT4", 5126, np.array(inverse, np.float32)),
    ]
    return _write_glb(path, names, arrays)


def _write_glb(path: Path, names: list[str], arrays: list[tuple[str, int, np.ndarray]]) -> Path:
    binary, views, accessors = b"", [], []
    for number, (kind, component, array) in enumerate(arrays):
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        count = array.size if kind == "SCALAR" else len(array)
        accessors.append({"bufferView": number, "componentType": component, "count": count, "type": kind})
        binary += array.tobytes() + b"\0" * (-array.nbytes % 4)
    attributes = {"POSITION": 0, "TEXCOORD_0": 1, "JOINTS_0": 2, "WEIGHTS_0": 3}
    scene: dict[str, Any] = {
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 4}]}],
        "skins": [{"joints": list(range(len(names))), "inverseBindMatrices": 5}],
        "nodes": [{"name": name} for name in names],
        "accessors": accessors,
        "bufferViews": views,
    }
    text = json.dumps(scene).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path
