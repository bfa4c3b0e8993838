"""Draw everyday things, the nouns of the pocket world.

The drawings are made from descriptions of their kinds.
"""

from __future__ import annotations

import numpy as np

from data_manifests.errors import UsageError
from pipelines.engine.digest import number_of
from pipelines.engine.plugins import did_you_mean
from pocket_kitchens.drawing.canvas import Canvas
from pocket_kitchens.drawing.colours import Palette
from pocket_kitchens.drawing.kinds import read_kinds
from pocket_kitchens.drawing.motifs import motif_shapes
from pocket_kitchens.drawing.parts import Kind, Part

LONGER_SIDE = 0.92  # of the picture's side

_BY_NAME = read_kinds()
KINDS: tuple[str, ...] = tuple(_BY_NAME)


def natural_size(kind: str) -> float:
    """Return the typical longer side of a kind, in dinner plates.

    Raises:
        UsageError: there is no such kind.
    """
    return _find(kind).size


def is_container(kind: str) -> bool:
    """Check that things of a kind have a lid or a door.

    Raises:
        UsageError: there is no such kind.
    """
    return _find(kind).opens


def draw_object(kind: str, seed: int, size: int) -> np.ndarray:
    """Draw one upright instance of a kind.

    The instance is in the middle of the picture.

    Args:
        kind: one of ``KINDS``.
        seed: number of the instance, 0 or above; it decides colours, proportions, pattern and small details.
        size: side of the picture in pixels.

    Returns:
        uint8 [size, size, 4], RGB with straight alpha; the object's longer side is 0.92 of the picture's.

    Raises:
        UsageError: there is no such kind.
    """
    what = _find(kind)
    # Instance 3 of one kind shall not share its choices with instance 3 of every other kind.
    rng = np.random.default_rng([seed, number_of(kind)])
    palette = Palette(what.palettes[int(rng.integers(len(what.palettes)))], rng)
    shown = [part for part in what.parts if not isinstance(part, Part) or part.chance > rng.random()]
    canvas = Canvas(size)
    outlines, widths = _placed([part for part in shown if isinstance(part, Part)], what, rng, canvas.side)
    drawn = 0
    for part in shown:
        if isinstance(part, Part):
            canvas.paint(part, outlines[drawn], widths[drawn], palette.of(part.role))
            drawn += 1
        else:
            motif = part.motifs[int(rng.integers(len(part.motifs)))]
            canvas.decorate(motif_shapes(motif, canvas.ground_box, rng), palette.of(part.role))
    return canvas.reduced()


def _find(kind: str) -> Kind:
    found = _BY_NAME.get(kind)
    if found is None:
        raise UsageError(
            f"There is no kind of object '{kind}'.{did_you_mean(kind, KINDS)} There are {len(KINDS)} kinds."
        )
    return found


def _placed(parts: list[Part], kind: Kind, rng: np.random.Generator, side: int) -> tuple[list[np.ndarray], list[float]]:
    """Compute outlines and stroke widths of the parts.

    Both are in pixels of a picture ``side`` wide. All parts are deformed together, so that a handle stays where it is
    fastened.
    """
    every = np.concatenate([part.outline for part in parts])
    low, high = every.min(axis=0), every.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
    x, y = ((every - middle) / half).T
    s = kind.stretch
    bulge, taper, shift = rng.uniform(-1, 1, 3) * s * np.array([0.5, 0.45, 0.5])
    x = x * (1 + taper * y + bulge * (0.5 - y * y))
    y = y + shift * (y * y - 1)
    x = x + kind.bend * half[1] / half[0] * rng.uniform(-1, 1) * np.cos(1.6 * y + rng.uniform(-0.7, 0.7))
    aspect = np.sqrt(1 + s * rng.uniform(-1, 1))
    warped = np.stack([x * half[0] * aspect, y * half[1] / aspect], axis=1)
    if kind.mirrored and rng.random() < 0.5:
        warped[:, 0] *= -1
    thicker = float(rng.uniform(1 - s, 1 + s))

    outlines = np.split(warped, np.cumsum([len(part.outline) for part in parts])[:-1])
    widths = [part.width * thicker for part in parts]
    solid = [(o, w / 2) for o, w, part in zip(outlines, widths, parts, strict=True) if not part.clip]
    low = np.min([o.min(axis=0) - r for o, r in solid], axis=0)
    high = np.max([o.max(axis=0) + r for o, r in solid], axis=0)
    scale = LONGER_SIDE * side / float((high - low).max())
    origin = side / 2 - scale * (low + high) / 2
    return [(o * scale + origin).astype(np.float32) for o in outlines], [w * scale for w in widths]
