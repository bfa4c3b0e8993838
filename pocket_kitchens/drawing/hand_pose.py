"""Place the parts of a right hand with a small jointed model.

The model is in space and is projected into the picture. The hand's own axes: x from the thumb's side to the little
finger's, y from the wrist to the fingers, z out of the back of the hand. Lengths are in palm widths, with the wrist at
the origin. The wearer looks down and forward. So the hand is rolled about the forearm (thumb up, the more the tighter
it grips) and tilted towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

PartKind = Literal["finger", "thumb", "palm"]

TILT = np.radians(28.0)
"""Angle of the camera from straight down to forward, in radians: stacked fingers show one above another."""
ARM_LENGTH = 7.5
"""Length of the forearm in palm widths: long enough to leave any view the hand is well inside of."""


@dataclass(frozen=True)
class Part:
    """Rounded piece of the hand: the hull of a few circles.

    Attributes:
        kind: 'finger', 'thumb' or 'palm', to which the piece belongs.
        centres: circle centres [N, 2], y down as in a picture; a phalanx starts at its joint nearer the palm.
        radii: circle radii [N] in palm widths.
        depth: height towards the camera in palm widths: higher pieces hide lower ones.
        joint: 0 at the palm, 1–3 for the phalanges from the palm to the tip.
        digit: 0 for the thumb, 1–4 from index to little finger, -1 for the palm.
        back: direction [3] out of the back of the piece (the side of the nail) in picture axes, z towards the camera.
    """

    kind: PartKind
    centres: np.ndarray
    radii: np.ndarray
    depth: float
    joint: int
    digit: int
    back: np.ndarray


@dataclass(frozen=True)
class Pose:
    """Parts of a hand in the picture plane, with arm and anchor.

    Attributes:
        parts: the parts in drawing order, from the lowest to the highest.
        arm: the end points [2, 2] of the forearm's axis: wrist, elbow end.
        anchor: the middle of the grip [2], the place of a held thing.
    """

    parts: list[Part]
    arm: np.ndarray
    anchor: np.ndarray


# Per finger from index to little: knuckle (x, y), phalanx lengths, radius at the knuckle, how it fans out (degrees).
_FINGERS = (
    ((-0.36, 1.06), (0.52, 0.31, 0.22), 0.137, -1.0),
    ((-0.12, 1.12), (0.57, 0.36, 0.23), 0.141, -0.25),
    ((0.12, 1.08), (0.53, 0.33, 0.23), 0.134, 0.4),
    ((0.34, 0.97), (0.42, 0.25, 0.20), 0.116, 1.15),
)
_BENDS_OPEN = np.radians([6.0, 8.0, 5.0])
_BENDS_FIST = np.radians([72.0, 98.0, 62.0])
_ROLL_OPEN, _ROLL_FIST = np.radians(14.0), np.radians(52.0)
# Thumb: directions of metacarpal, first and last phalanx for an open hand and for a fist.
_THUMB_BASE = np.array([-0.27, 0.24, -0.02])
_THUMB_LENGTHS = (0.50, 0.38, 0.27)
_THUMB_RADII = (0.20, 0.155, 0.135, 0.105)
_THUMB_OPEN = np.array([[-0.72, 0.70, -0.15], [-0.52, 0.85, -0.10], [-0.36, 0.93, -0.05]])
_ACROSS_THUMB = np.array([0.55, 0.0, 0.83])
_THUMB_FIST = np.array([[-0.50, 0.70, -0.50], [-0.30, 0.85, -0.55], [0.05, 0.85, -0.65]])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the cross product of two vectors [3], faster than NumPy does for a single pair."""
    (a, b, c), (x, y, z) = one.tolist(), other.tolist()
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


def _view(grip: float, angle: float) -> np.ndarray:
    """Compute the matrix [3, 3] from the hand's axes to the picture's.

    The picture's axes are x right, y down, z towards the camera.
    """
    roll = _ROLL_OPEN + (_ROLL_FIST - _ROLL_OPEN) * grip
    turn = np.radians(angle)
    rolled = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
    tilted = np.array([[1, 0, 0], [0, np.cos(TILT), np.sin(TILT)], [0, -np.sin(TILT), np.cos(TILT)]])
    flipped = np.diag([1.0, -1.0, 1.0])
    turned = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return turned @ flipped @ tilted @ rolled


def _finger(index: int, grip: float, spread: float, slim: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Compute the phalanges of a finger in the hand's axes.

    Each has joints [2, 3], radii [2] and back [3].
    """
    (x, y), lengths, radius, fan = _FINGERS[index]
    # A fist cannot fan out: the fan closes as the fingers bend.
    away = np.radians(fan * (2.0 + 13.0 * spread) * (1 - 0.7 * grip))
    # The outer fingers of a relaxed hand bend a little more than the index finger.
    bends = _BENDS_OPEN + (_BENDS_FIST - _BENDS_OPEN) * min(grip * (1 + 0.06 * index), 1.0)
    joint = np.array([x, y, 0.0])
    bent = 0.0
    pieces = []
    for number, length in enumerate(lengths):
        bent += bends[number]
        ahead = np.array([np.sin(away) * np.cos(bent), np.cos(away) * np.cos(bent), -np.sin(bent)])
        back = np.array([np.sin(away) * np.sin(bent), np.cos(away) * np.sin(bent), np.cos(bent)])
        end = joint + length * ahead
        radii = slim * radius * np.array([1.0 - 0.09 * number, 0.91 - 0.09 * number])
        pieces.append((np.array([joint, end]), radii, back))
        joint = end
    return pieces


def _thumb(grip: float, spread: float, slim: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Compute the pieces of the thumb in the hand's axes.

    They are the ball of the thumb and its two phalanges, each with joints [2, 3], radii [2] and back [3].
    """
    joint = _THUMB_BASE
    pieces = []
    for number, length in enumerate(_THUMB_LENGTHS):
        ahead = _THUMB_OPEN[number] + (_THUMB_FIST[number] - _THUMB_OPEN[number]) * grip
        ahead = _unit(ahead + np.array([-0.25, 0.0, 0.0]) * (spread - 0.5) * (1 - grip))
        end = joint + length * ahead
        back = _unit(_cross(_ACROSS_THUMB, ahead))
        back = _unit(_cross(ahead, back))
        pieces.append((np.array([joint, end]), slim * np.array(_THUMB_RADII[number : number + 2]), back))
        joint = end
    return pieces


def pose_right_hand(grip: float, spread: float, angle: float, slim: float) -> Pose:
    """Place the parts of a right hand, wrist at the origin.

    Args:
        grip: 0 for an open flat hand to 1 for a fist.
        spread: 0–1, how far the fingers fan out.
        angle: turn of hand and forearm about the wrist in degrees; positive brings the arm from below right.
        slim: thickness of fingers, about 1.
    """
    view = _view(grip, angle)
    parts = []
    rows = [(0, _thumb(grip, spread, slim))] + [(i + 1, _finger(i, grip, spread, slim)) for i in range(len(_FINGERS))]
    joints: dict[tuple[int, int], np.ndarray] = {}
    for digit, pieces in rows:
        for number, (ends, radii, back) in enumerate(pieces):
            seen = ends @ view.T
            joint = number if digit == 0 else number + 1
            joints[digit, joint] = seen[1, :2]
            kind: PartKind = "thumb" if digit == 0 else "finger"
            # The first phalanges go over the edge of the palm: seen from behind, knuckles stand out of the hand.
            depth = float(seen[:, 2].mean()) + (0.4 if joint == 1 and digit > 0 else 0.0)
            parts.append(Part(kind, seen[:, :2], radii, depth, joint, digit, view @ back))
    corners = np.array([[-0.17, 0.05, 0], [0.19, 0.05, 0], [-0.34, 1.0, 0], [-0.12, 1.06, 0], [0.12, 1.02, 0]])
    corners = np.vstack([corners, [[0.33, 0.9, 0], [0.34, 0.45, -0.03], [-0.28, 0.45, -0.02]]])
    seen = corners @ view.T
    radii = np.array([0.17, 0.17, 0.145, 0.15, 0.145, 0.13, 0.16, 0.18])
    parts.append(Part("palm", seen[:, :2], radii, float(seen[:, 2].mean()), 0, -1, view @ np.array([0.0, 0.0, 1.0])))
    parts.sort(key=lambda part: part.depth)
    turn = np.radians(angle)
    arm = np.array([[0.0, 0.0], [np.sin(turn) * ARM_LENGTH, np.cos(turn) * ARM_LENGTH]])
    return Pose(parts, arm, (joints[0, 2] + joints[1, 2]) / 2)
