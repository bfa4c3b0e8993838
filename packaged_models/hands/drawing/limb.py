"""Build a hand's surfaces with forearm, clothing and held thing.

The surfaces lie before a camera. The clothing is a sleeve or a glove.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from packaged_models.hands.drawing.mesh import FINGERS, JOINTS, HandMesh
from packaged_models.hands.drawing.pose import (
    HandPose,
    PosedHand,
    flat_pose,
    grasp_pose,
    pinch_pose,
    posed,
    random_pose,
)
from packaged_models.hands.drawing.raster import Surface, vertex_normals
from packaged_models.hands.drawing.solids import Solid, arm, random_solid, sheet
from packaged_models.hands.drawing.textures import random_colour, random_texture, skin_texture, skin_tone
from pocket_kitchens.drawing.objects import KINDS, draw_object
from pocket_kitchens.world import INSTANCES

WRIST = -0.006
"""End of a hand behind its wrist joint, metres along y: what lies behind is forearm and outside the hand's box."""

_STUB = -0.012
_DRAWN = 96


@dataclass(frozen=True, eq=False)
class Limb:
    """Surfaces of a right hand, its forearm and its held thing.

    They are in the axes of :class:`packaged_models.hands.drawing.mesh.HandMesh`.

    Attributes:
        surfaces: the hand's surface first, then the others.
        middle: the hand's middle, float64 ``[3]``.
        held: index of the surface of the held thing, None when nothing is held.
    """

    surfaces: list[Surface]
    middle: np.ndarray
    held: int | None


@dataclass(frozen=True, eq=False)
class Look:
    """Skin, clothing and girth that two hands of a person share.

    Attributes:
        skin: albedo, float32 ``[3]``.
        texture: texture of the skin.
        glove: albedo of the glove, None without.
        sleeve: albedo and texture of the sleeve, None without.
        sleeve_from: start of the sleeve, 0 at the wrist, 1 at the elbow.
        sleeve_girth: factor of the arm's girth.
        band: albedo of a watch or bracelet, None without.
        thick: metres by which the skin lies further out than the mesh.
        gloss: gloss of skin or glove.
    """

    skin: np.ndarray
    texture: np.ndarray
    glove: np.ndarray | None
    sleeve: tuple[np.ndarray, np.ndarray] | None
    sleeve_from: float
    sleeve_girth: float
    band: np.ndarray | None
    thick: float
    gloss: float


def random_look(rng: np.random.Generator) -> Look:
    """Draw the look of a person's hands."""
    gloved = rng.random() < 0.12
    sleeved = rng.random() < 0.5
    return Look(
        skin_tone(rng),
        skin_texture(rng),
        random_colour(rng) if gloved else None,
        (random_colour(rng), random_texture(rng)) if sleeved else None,
        float(rng.choice([0.02, rng.uniform(0, 0.2), rng.uniform(0.2, 0.8)])),
        float(rng.uniform(1.12, 1.7)),
        random_colour(rng) if rng.random() < 0.15 else None,
        float(rng.normal(0.0004, 0.0009)),
        float(rng.uniform(0.1, 0.5) if gloved else rng.uniform(0.02, 0.25)),
    )


def random_limb(mesh: HandMesh, look: Look, rng: np.random.Generator, label: int, holding: float) -> Limb:
    """Draw a posed hand that may hold a thing.

    Args:
        mesh: the hand.
        look: the look of the hand.
        rng: decides the pose and the thing.
        label: number of the hand.
        holding: probability of a thing in the hand.
    """
    thing: Surface | None = None
    grip = rng.random()
    if rng.random() >= holding:
        hand = _bent(mesh, random_pose(rng), rng, look)
    elif grip < 0.6:
        solid, radius = random_solid(rng)
        hand = _bent(mesh, grasp_pose(rng, radius), rng, look)
        thing = _grasped(hand, solid, radius, rng)
    elif grip < 0.85:
        hand = _bent(mesh, pinch_pose(rng), rng, look)
        thing = _pinched(hand, rng)
    else:
        hand = _bent(mesh, flat_pose(rng), rng, look)
        solid, radius = random_solid(rng)
        if rng.random() < 0.6:
            thing = _drawn_on(_moved(sheet(*_sizes(rng)), np.eye(3), np.array([0, 0.1, 0.03])), rng)
        else:
            thing = _grasped(hand, solid, radius + 0.01, rng)
    surfaces = [_hand_surface(mesh, hand, look, label), *_arm_surfaces(mesh, look, rng, hand)]
    held = None
    if thing is not None:
        held = len(surfaces)
        surfaces.append(thing)
    return Limb(surfaces, hand.posed.vertices[_is_hand(mesh)].mean(axis=0), held)


@dataclass(frozen=True, eq=False)
class _Bent:
    """Posed hand with a bent wrist.

    ``back`` is the unit vector along the forearm to the elbow.
    """

    posed: PosedHand
    back: np.ndarray


def _bent(mesh: HandMesh, pose: HandPose, rng: np.random.Generator, look: Look) -> _Bent:
    angles = np.radians(rng.normal(0, [16, 20]))
    back = np.array([np.sin(angles[0]), -1.0, np.sin(angles[1])])
    back /= np.linalg.norm(back)
    found = posed(mesh, pose)
    vertices = found.vertices + look.thick * _features(mesh).normals
    behind = np.clip(-mesh.vertices[:, 1] / 0.02, 0, 1)[:, None]
    shift = -mesh.vertices[:, 1:2] * (back - np.array([0, -1.0, 0]))
    vertices = np.where(behind > 0, vertices + behind * shift, vertices)
    return _Bent(replace(found, vertices=vertices), back)


@dataclass(frozen=True, eq=False)
class _Features:
    """Features of the mesh per vertex.

    Each is float32 ``[V]`` from 0 to 1, except the normals.
    """

    normals: np.ndarray
    palm: np.ndarray
    knuckles: np.ndarray
    tips: np.ndarray
    nails: np.ndarray


@functools.lru_cache(maxsize=2)
def _features(mesh: HandMesh) -> _Features:
    normals = vertex_normals(mesh.vertices, mesh.triangles)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    knuckles, tips, nails = (np.zeros(len(normals), np.float32) for _ in range(3))
    names = _joint_numbers()
    for finger in FINGERS:
        for bone in ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal"):
            number = names.get(f"{finger}-{bone}")
            if number is not None:
                far = np.linalg.norm(mesh.vertices - mesh.joints[number, :3, 3], axis=1)
                knuckles = np.maximum(knuckles, np.exp(-((far / 0.011) ** 2)))
        tip = mesh.joints[names[f"{finger}-tip"]]
        far = np.linalg.norm(mesh.vertices - tip[:3, 3], axis=1)
        tips = np.maximum(tips, np.exp(-((far / 0.016) ** 2)))
        out = normals @ tip[:3, 1]
        nails = np.maximum(nails, np.clip(1.6 - far / 0.007, 0, 1) * np.clip(4 * out - 2.2, 0, 1))
    palm = 1 / (1 + np.exp(-8 * (normals[:, 2] - 0.15)))
    return _Features(normals, *(value.astype(np.float32) for value in (palm, knuckles, tips, nails)))


def _joint_numbers() -> dict[str, int]:
    return {joint: number for number, joint in enumerate(JOINTS)}


def _is_hand(mesh: HandMesh) -> np.ndarray:
    hand: np.ndarray = mesh.vertices[:, 1] > WRIST
    return hand


def _hand_surface(mesh: HandMesh, hand: _Bent, look: Look, label: int) -> Surface:
    where = _features(mesh)
    if look.glove is not None:
        colour = look.glove * (1 - 0.12 * where.knuckles[:, None])
    else:
        light = float(look.skin.mean())
        # Palms of dark skin are much lighter, those of light skin a little pinker.
        pale = look.skin + (1 - light) * np.array([0.34, 0.22, 0.18], np.float32)
        colour = look.skin + (0.75 * where.palm[:, None]) * (pale - look.skin)
        red = (0.5 * where.knuckles * (1 - where.palm) + 0.8 * where.tips)[:, None]
        colour = colour * (1 + red * np.array([0.02, -0.1, -0.09], np.float32))
        nail = colour * 0.55 + np.array([0.42, 0.32, 0.31], np.float32) * (0.4 + 0.6 * light)
        colour = colour + where.nails[:, None] * (nail - colour)
    counted = (mesh.vertices[mesh.triangles, 1] > WRIST).all(axis=1)
    texture = look.texture if look.glove is None else 0.5 + 0.5 * look.texture
    return Surface(
        hand.posed.vertices, mesh.triangles, colour.astype(np.float32), 3 * mesh.uv, texture, look.gloss, label, counted
    )


def _arm_surfaces(mesh: HandMesh, look: Look, rng: np.random.Generator, hand: _Bent) -> list[Surface]:
    stub = mesh.vertices[mesh.vertices[:, 1] < _STUB]
    size = np.ptp(stub[:, [0, 2]], axis=0) / 2 + look.thick
    middle = (stub.max(axis=0) + stub.min(axis=0)) / 2
    start = np.array([middle[0], 0, middle[2]]) - _STUB * hand.back
    length = float(rng.uniform(0.22, 0.3))
    forearm = arm(start, size * 0.99, hand.back, length)
    found = [_surface(forearm, look.skin, look.texture, look.gloss)]
    if look.glove is not None and rng.random() < 0.7:
        cuff = arm(
            start - 0.006 * hand.back, size, hand.back, float(rng.uniform(0.03, 0.2)), float(rng.uniform(1.03, 1.2))
        )
        found.append(_surface(cuff, look.glove, None, look.gloss))
    if look.sleeve is not None:
        colour, texture = look.sleeve
        at = start + look.sleeve_from * length * hand.back
        grown = 1 + 0.5 * look.sleeve_from
        sleeve = arm(at, size * grown, hand.back, length * (1.05 - look.sleeve_from), look.sleeve_girth)
        found.append(_surface(sleeve, colour, texture, 0.02))
    if look.band is not None and look.sleeve is None:
        at = start + rng.uniform(0.004, 0.03) * hand.back
        found.append(
            _surface(arm(at, size * 0.9, hand.back, float(rng.uniform(0.006, 0.03)), 1.16), look.band, None, 0.5)
        )
    return found


def _grasped(hand: _Bent, solid: Solid, radius: float, rng: np.random.Generator) -> Surface:
    """Put a thing in the bend of the fingers.

    Its axis lies across the palm.
    """
    knuckle = (
        hand.posed.joint("index-finger-phalanx-proximal") + hand.posed.joint("pinky-finger-phalanx-proximal")
    ) / 2
    at = knuckle + np.array([rng.normal(0, 0.006), rng.uniform(-0.012, 0.006), radius + 0.013])
    tilt = np.radians(rng.normal(0, [10, 14]))
    up = np.array([1.0, np.sin(tilt[0]) + 0.2, np.sin(tilt[1])])
    # The other end may stick out on the little finger's side.
    up = up / np.linalg.norm(up) * (1 if rng.random() < 0.75 else -1)
    side = np.cross(up, [0.0, 0, 1])
    side /= np.linalg.norm(side)
    turn = np.stack([side, up, np.cross(side, up)], axis=1)
    colour = random_colour(rng)
    return _surface(_moved(solid, turn, at), colour, random_texture(rng), float(rng.choice([0.05, 0.2, 0.8])))


def _pinched(hand: _Bent, rng: np.random.Generator) -> Surface:
    """Put a thing between thumb and index finger.

    It is a flat drawn thing or a small solid.
    """
    at = (hand.posed.joint("thumb-tip") + hand.posed.joint("index-finger-tip")) / 2
    axis = hand.posed.joint("index-finger-tip") - hand.posed.joint("thumb-tip")
    axis /= np.linalg.norm(axis) + 1e-9
    along = np.cross(axis, rng.normal(size=3))
    along /= np.linalg.norm(along)
    turn = np.stack([np.cross(along, axis), along, axis], axis=1)
    if rng.random() < 0.5:
        width, height = _sizes(rng)
        return _drawn_on(_moved(sheet(width, height), turn, at + 0.42 * height * along), rng)
    solid, radius = random_solid(rng)
    smaller = Solid(solid.vertices * min(1.0, 0.009 / radius), solid.triangles, solid.uv)
    return _surface(_moved(smaller, turn, at), random_colour(rng), random_texture(rng), 0.2)


def _sizes(rng: np.random.Generator) -> tuple[float, float]:
    side = float(rng.uniform(0.06, 0.24))
    return side, side


def _drawn_on(flat: Solid, rng: np.random.Generator) -> Surface:
    """Put a cut-out drawing of a pocket-world thing on a sheet."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    instances = INSTANCES["pretraining"]
    drawing = draw_object(kind, int(rng.integers(instances.start, instances.stop)), _DRAWN).astype(np.float32) / 255
    return _surface(flat, np.ones(3, np.float32), drawing, 0.1)


def _surface(solid: Solid, colour: np.ndarray, texture: np.ndarray | None, gloss: float) -> Surface:
    return Surface(solid.vertices, solid.triangles, colour, solid.uv, texture, gloss)


def _moved(solid: Solid, turn: np.ndarray, at: np.ndarray) -> Solid:
    return Solid(solid.vertices @ turn.T + at, solid.triangles, solid.uv)
