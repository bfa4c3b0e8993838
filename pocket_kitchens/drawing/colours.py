"""Colour names of the pocket world, and palettes of instances."""

from __future__ import annotations

import numpy as np

_NAMED = """
white f4f3ee cream efe2c0 ivory fbf3dc grey 9a9c9e silver c3c8cc steel aeb6bd slate 5b6670 charcoal 3c4045
black 26272a red c8322f crimson a31f34 brick a8503c rose d46a86 coral ee7a5c orange ee8a25 amber e0a030 yellow f2d03b
lemon f6e04f gold d0a23c copper b8703f lime a9c93d green 4f9a3c leaf 3d7f35 forest 2c5f36 olive 7b8434 mint a8d8b9
teal 2f8f8c sky 8cc4e8 blue 3566b5 navy 27386b purple 6b3f8f violet 9a7bc8 plum 5a2a55 brown 7a4a2b chocolate 4f2d1c
tan c9a06b wood b98a55 oak a3713d pine d9b57f walnut 6a4529 crust c58a45 dough ecd3a0 toast a86a30 meat b5453f
fat f0d5c8 ham e59a94 salmon f09a78 glass c5dde0 water b6dcec sand d8c49a peach f5b183
"""
COLOURS = {
    name: np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32)
    for name, code in zip(_NAMED.split()[::2], _NAMED.split()[1::2], strict=True)
}
ROLES = ("body", "accent", "third")


class Palette:
    """Colours of one instance of a kind of object.

    The colours are those of 'body/accent/third', each slightly different from the named colour.
    """

    def __init__(self, names: str, rng: np.random.Generator) -> None:
        self._colours = dict(COLOURS)
        for role, name in zip(ROLES, names.split("/"), strict=False):
            tint = rng.uniform(0.9, 1.08) + rng.uniform(-0.05, 0.05, 3)
            self._colours[role] = np.clip(COLOURS[name] * tint, 0, 255).astype(np.float32)

    def of(self, role: str) -> np.ndarray:
        """Return the colour of a role or name.

        A trailing '-' makes it darker, a trailing '+' lighter.

        Returns:
            float32 RGB, 0 to 255.
        """
        colour = self._colours[role.rstrip("+-")]
        if role.endswith("-"):
            return colour * 0.66
        if role.endswith("+"):
            return colour + (255 - colour) * 0.4
        return colour
