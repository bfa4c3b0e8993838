"""Pose a hand within the range of its joints.

The mesh follows the joint angles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from packaged_models.hands.drawing.mesh import FINGERS, JOINTS, PARENTS, HandMesh

_INDEX = {joint: index for index, joint in enumerate(JOINTS)}

# Degrees at which a finger is straight and fully bent: knuckle, middle joint, end joint.
_STRAIGHT = np.array([-8.0, 2.0, 0.0])
_BENT = np.array([82.0, 102.0, 66.0])


@dataclass(frozen=True, eq=False)
class HandPose:
    """Joint angles of a hand, in degrees.

    Attributes:
        bends: degrees ``[4, 3]``, knuckle, middle and end joint of index to little finger; positive to the palm.
        spreads: degrees ``[4]``, positive to the thumb.
        thumb: degrees ``[4]``: out of the palm, across it, bend of the knuckle, bend of the end joint.
    """

    bends: np.ndarray
    spreads: np.ndarray
    thumb: np.ndarray


def random_pose(rng: np.random.Generator) -> HandPose:
    """Draw a pose of an empty hand.

    It is open, relaxed, a fist, pointing, pinching, or each finger at random.
    """
    form = rng.random()
    if form < 0.2:
        return _pose(rng, rng.uniform(0, 0.18) + rng.normal(0, 0.04, 4), (rng.uniform(-15, 15), rng.uniform(-10, 25)))
    if form < 0.5:
        curl = rng.uniform(0.15, 0.55) + np.array([0, 0.05, 0.1, 0.13]) + rng.normal(0, 0.06, 4)
        return _pose(rng, curl, (rng.uniform(0, 25), rng.uniform(0, 30)))
    if form < 0.62:
        return _fist(rng, rng.uniform(0.85, 1.0) + rng.normal(0, 0.03, 4))
    if form < 0.74:
        return _fist(rng, np.concatenate([rng.uniform(0, 0.2, 1), rng.uniform(0.7, 1, 3)]))
    if form < 0.86:
        return pinch_pose(rng)
    return _pose(rng, rng.uniform(0, 1, 4), (rng.uniform(-10, 35), rng.uniform(-10, 35)))


def grasp_pose(rng: np.random.Generator, radius: float) -> HandPose:
    """Draw a pose with the fingers around a thing.

    Args:
        rng: decides small differences.
        radius: radius of the held thing, metres, 0.005 to 0.06.
    """
    curl = np.clip(0.95 - 11 * (radius - 0.008), 0.25, 0.97) + rng.normal(0, 0.04, 4)
    return _pose(rng, curl, (rng.uniform(20, 40), rng.uniform(5, 25)), spread=0.4)


def pinch_pose(rng: np.random.Generator) -> HandPose:
    """Draw a pose in which thumb and index finger meet.

    The other fingers curl or stick out.
    """
    curl = np.concatenate([rng.uniform(0.42, 0.55, 1), rng.uniform(0.3, 0.95) + rng.normal(0, 0.06, 3)])
    return _pose(rng, curl, (rng.uniform(28, 42), rng.uniform(12, 24)))


def flat_pose(rng: np.random.Generator) -> HandPose:
    """Draw a pose with fingers together and nearly straight.

    It is that of a hand under a tray or on a cloth.
    """
    curl = rng.uniform(0.02, 0.22) + rng.normal(0, 0.02, 4)
    return _pose(rng, curl, (rng.uniform(-10, 20), rng.uniform(-5, 25)), spread=0.3)


def _fist(rng: np.random.Generator, curl: np.ndarray) -> HandPose:
    pose = _pose(rng, curl, (rng.uniform(25, 38), rng.uniform(18, 30)))
    return HandPose(pose.bends, pose.spreads, pose.thumb + np.array([0, 0, 10, 12]))


def _pose(rng: np.random.Generator, curl: np.ndarray, thumb: tuple[float, float], spread: float = 1.0) -> HandPose:
    curl = np.clip(curl, 0, 1)
    bends = _STRAIGHT + curl[:, None] * (_BENT - _STRAIGHT) + rng.normal(0, 5, (4, 3))
    bends[:, 1:] = np.maximum(bends[:, 1:], -3)
    # Bent fingers cannot spread.
    fan = rng.uniform(-0.3, 1.0) * spread * np.array([9.0, 1.0, -7.0, -14.0])
    spreads = (fan + rng.normal(0, 1.5, 4)) * (1 - 0.8 * curl)
    bent = float(curl[:2].mean())
    ends = rng.uniform(-8, 20) + 28 * bent, rng.uniform(-12, 20) + 34 * bent
    return HandPose(bends, spreads, np.array([*thumb, *ends]))


@dataclass(frozen=True, eq=False)
class PosedHand:
    """Posed mesh of a hand in its own axes.

    The axes are those of :class:`packaged_models.hands.drawing.mesh.HandMesh`.

    Attributes:
        vertices: float64 ``[V, 3]``, metres.
        joints: float64 ``[25, 3]``, positions of the joints, metres.
    """

    vertices: np.ndarray
    joints: np.ndarray

    def joint(self, name: str) -> np.ndarray:
        """Return the position of a joint, float64 ``[3]``.

        The name is one of :data:`packaged_models.hands.drawing.mesh.JOINTS`.
        """
        found: np.ndarray = self.joints[_INDEX[name]]
        return found


def posed(mesh: HandMesh, pose: HandPose) -> PosedHand:
    """Bend a mesh by linear blend skinning.

    Source: Magnenat-Thalmann et al., 1988.
    """
    local = _local_turns(pose)
    world = np.empty_like(mesh.joints)
    for index, parent in enumerate(PARENTS):
        rest = mesh.joints[index] if parent < 0 else np.linalg.solve(mesh.joints[parent], mesh.joints[index])
        world[index] = rest @ local[index] if parent < 0 else world[parent] @ rest @ local[index]
    moves = (world @ np.linalg.inv(mesh.joints))[:, :3]
    blended = np.tensordot(mesh.weights, moves, axes=1)
    vertices = np.einsum("vij,vj->vi", blended[:, :, :3], mesh.vertices) + blended[:, :, 3]
    return PosedHand(vertices, world[:, :3, 3])


def _local_turns(pose: HandPose) -> np.ndarray:
    turns = np.broadcast_to(np.eye(4), (len(JOINTS), 4, 4)).copy()
    for number, finger in enumerate(FINGERS[1:]):
        bends, spread = pose.bends[number], float(pose.spreads[number])
        turns[_INDEX[f"{finger}-phalanx-proximal"], :3, :3] = _about_y(spread) @ _about_x(-bends[0])
        turns[_INDEX[f"{finger}-phalanx-intermediate"], :3, :3] = _about_x(-bends[1])
        turns[_INDEX[f"{finger}-phalanx-distal"], :3, :3] = _about_x(-bends[2])
    out, across, knuckle, end = pose.thumb
    turns[_INDEX["thumb-metacarpal"], :3, :3] = _about_y(out) @ _about_x(-across)
    turns[_INDEX["thumb-phalanx-proximal"], :3, :3] = _about_x(-knuckle)
    turns[_INDEX["thumb-phalanx-distal"], :3, :3] = _about_x(-end)
    return turns


def _about_x(degrees: float) -> np.ndarray:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def _about_y(degrees: float) -> np.ndarray:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
