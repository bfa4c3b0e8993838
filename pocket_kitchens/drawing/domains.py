"""Contents and look of the two domains of Pocket Kitchens.

One is written as EPIC-KITCHENS-100, the other as Ego4D. They share 16 nouns and 8 verbs by name. Each has 12
nouns and 5 verbs of its own, so that a model trained on one meets unseen classes on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SHARED_NOUNS = (
    "cup", "bowl", "plate", "knife", "spoon", "bottle", "jar", "pot",
    "carrot", "onion", "tomato", "egg", "bread", "sponge", "box", "lemon",
)  # fmt: skip
EPIC_NOUNS = (
    "fork", "spatula", "kettle", "grater", "peeler", "cheese",
    "potato", "banana", "mushroom", "can", "frying pan", "towel",
)  # fmt: skip
EGO4D_NOUNS = (
    "phone", "book", "brush", "tray", "bucket", "apple",
    "corn", "clock", "candle", "basket", "scissors", "bag",
)  # fmt: skip

SHARED_VERBS = ("pick up", "put down", "open", "close", "cut", "stir", "pour", "wash")
EPIC_VERBS = ("insert", "remove", "shake", "peel", "turn")
EGO4D_VERBS = ("push", "pull", "wipe", "hold", "squeeze")

REVERSED = {"put down": "pick up", "close": "open", "remove": "insert", "pull": "push"}
"""Verb → the verb whose clips it shows backwards; no single frame distinguishes the two of a pair."""

ON_CONTAINERS = frozenset({"open", "close"})
"""Verbs that act on containers only."""

SYNONYMS = {
    "pick up": ("grab", "take"),
    "put down": ("place",),
    "cup": ("mug",),
    "frying pan": ("skillet",),
    "bag": ("sack", "pouch"),
}
"""Other names of some classes."""


@dataclass(frozen=True)
class Domain:
    """Vocabulary, video format and look of a domain.

    Attributes:
        name: 'epic' or 'ego4d', the dataset whose form it is written in; 'pictures' is never a dataset.
        nouns: its nouns, the shared ones first.
        verbs: its verbs, the shared ones first.
        fps: frames per second of its videos.
        seconds: length of the shortest and the longest clip.
        warmth: colour temperature, −1 (blue) to 1 (orange).
        saturation: of the picture, 1 = as drawn.
        tilt: largest turn of a camera, in degrees.
        zoom: smallest and largest magnification of the view.
        noise: standard deviation of the sensor noise, of 255.
        tiles: whether worktops are tiled (else grained wood or plain).
    """

    name: Literal["epic", "ego4d", "pictures"]
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    fps: int
    seconds: tuple[float, float]
    warmth: float
    saturation: float
    tilt: float
    zoom: tuple[float, float]
    noise: float
    tiles: bool


EPIC = Domain(
    name="epic",
    nouns=SHARED_NOUNS + EPIC_NOUNS,
    verbs=SHARED_VERBS + EPIC_VERBS,
    fps=15,
    seconds=(2.0, 3.0),
    warmth=0.5,
    saturation=1.1,
    tilt=5.0,
    zoom=(0.95, 1.15),
    noise=3.0,
    tiles=False,
)
EGO4D = Domain(
    name="ego4d",
    nouns=SHARED_NOUNS + EGO4D_NOUNS,
    verbs=SHARED_VERBS + EGO4D_VERBS,
    fps=12,
    seconds=(3.0, 4.0),
    warmth=-0.5,
    saturation=0.75,
    tilt=14.0,
    zoom=(0.8, 1.0),
    noise=4.5,
    tiles=True,
)
