from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_manifests.errors import InputError, MissingUpstream
from packaged_models.hands.drawing import mesh as mesh_module
from packaged_models.hands.drawing.mesh import ARCHIVE, JOINTS, MESH_FILE, PARENTS, fetch_mesh, read_mesh
from tests.packaged_models.hands.drawing.hand_file import joint_place, write_hand


def test_a_hand_is_read_in_axes_of_thumb_fingers_and_palm(tmp_path: Path) -> None:
    mesh = read_mesh(write_hand(tmp_path / "hand.glb"))
    assert mesh.joints.shape == (25, 4, 4)
    assert np.allclose(mesh.joints[:, :3, 3], [joint_place(joint) for joint in JOINTS], atol=1e-6)
    tip = mesh.joints[JOINTS.index("middle-finger-tip")]
    assert np.allclose(-tip[:3, 2], [0, 1, 0], atol=1e-6)
    assert np.allclose(tip[:3, 1], [0, 0, -1], atol=1e-6)
    assert np.allclose(mesh.weights.sum(axis=1), 1)
    assert mesh.triangles.max() == len(mesh.vertices) - 1


def test_every_finger_hangs_on_the_wrist_joint_by_joint() -> None:
    assert len(JOINTS) == 25
    assert [JOINTS[parent] for parent, joint in zip(PARENTS, JOINTS, strict=True) if "metacarpal" in joint] == [
        "wrist"
    ] * 5
    assert JOINTS[PARENTS[JOINTS.index("thumb-phalanx-distal")]] == "thumb-phalanx-proximal"


@pytest.mark.parametrize("content", [b"", b"glTF\x01\0\0\0\0\0\0\0", b"not a mesh at all, but long enough"])
def test_a_file_that_is_no_mesh_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hand.glb").write_bytes(content)
    with pytest.raises(InputError, match=r"hand\.glb: not a"):
        read_mesh(tmp_path / "hand.glb")


def test_a_mesh_without_a_joint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a rigged hand with WebXR's 25 joints"):
        read_mesh(write_hand(tmp_path / "hand.glb", drop="ring-finger-tip"))


def test_a_mesh_that_is_there_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_module, "_packed", lambda *_: pytest.fail("fetched"))
    write_hand(tmp_path / MESH_FILE)
    assert fetch_mesh(tmp_path) == tmp_path / MESH_FILE


def test_an_archive_of_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(InputError, match=r"its sha512 is .*, expected 57ff0d078630826f"):
        fetch_mesh(tmp_path)
    assert not (tmp_path / MESH_FILE).exists()


def test_without_npm_or_network_the_error_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mesh_module.shutil, "which", lambda name: None)
    with pytest.raises(MissingUpstream, match=rf"npm is not installed.*npm pack .*put {ARCHIVE} into this folder"):
        fetch_mesh(tmp_path)

    def fails(*_: Any, **__: Any) -> None:
        raise subprocess.CalledProcessError(1, "npm", stderr=b"npm error code\nnpm error network is down\n")

    monkeypatch.setattr(mesh_module.shutil, "which", lambda name: "/bin/npm")
    monkeypatch.setattr(mesh_module.subprocess, "run", fails)
    with pytest.raises(MissingUpstream, match="network is down"):
        fetch_mesh(tmp_path)
