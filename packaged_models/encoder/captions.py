"""Write captions of third-person pictures, short and never complete.

They are like the captions that people write below pictures on the web.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_manifests.schema import Label
from pocket_kitchens.drawing.domains import EGO4D, EPIC, SYNONYMS
from pocket_kitchens.drawing.objects import KINDS

VERBS: tuple[str, ...] = tuple(dict.fromkeys((*EPIC.verbs, *EGO4D.verbs)))
"""Every verb of the world; all of them occur in captions."""

_OF_THINGS = ("{}", "a photo of {}", "{} on a table", "{}, close up", "a picture of {}", "{} in a kitchen")
_OF_ACTIONS = ("{doing} {thing}", "someone is {doing} {thing}", "{verb} {thing}", "{verb}", "a person {doing} {thing}")
_ACTION_IS_TOLD = 0.7
_OTHER_NAME = 0.15
_BARE = 0.3
_VOWELS = "aeiou"


def known_words() -> dict[Label, list[str]]:
    """List every noun and verb that captions use, synonyms among them."""
    named: dict[Label, Sequence[str]] = {"noun": tuple(KINDS), "verb": VERBS}
    return {
        label: sorted({*names, *(other for name in names for other in SYNONYMS.get(name, ()))})
        for label, names in named.items()
    }


def caption_of_things(things: Sequence[tuple[str, float]], rng: np.random.Generator) -> str:
    """Write a caption of one to three things in a picture.

    Args:
        things: (kind, area), in any unit; the chance to be mentioned is in proportion to the area.
        rng: decides the things that are mentioned, and the words.
    """
    areas = np.array([area for _, area in things])
    count = min(len(things), 1 + int(rng.random() < 0.35) + int(rng.random() < 0.1))
    chosen = rng.choice(len(things), size=count, replace=False, p=areas / areas.sum())
    names = " and ".join(_mention(things[index][0], rng) for index in chosen)
    return _one(_OF_THINGS, rng).format(names)


def caption_of_action(verb: str, noun: str, rng: np.random.Generator) -> str:
    """Write a caption of a picture that shows an action.

    Most captions name the action; the others name only the thing.
    """
    if rng.random() > _ACTION_IS_TOLD:
        return caption_of_things([(noun, 1.0)], rng)
    said = _named(verb, rng)
    return _one(_OF_ACTIONS, rng).format(verb=said, doing=doing(said), thing=_mention(noun, rng))


def doing(verb: str) -> str:
    """Return the -ing form of a verb, for instance 'picking up'.

    'close' becomes 'closing', 'cut' becomes 'cutting'.
    """
    head, space, rest = verb.partition(" ")
    if head.endswith("e"):
        head = head[:-1]
    elif head in ("put", "cut", "stir", "grab"):
        head += head[-1]
    return f"{head}ing{space}{rest}"


def _mention(noun: str, rng: np.random.Generator) -> str:
    name = _named(noun, rng)
    if rng.random() < _BARE:
        return name
    return f"{'an' if name[0] in _VOWELS else 'a'} {name}"


def _named(name: str, rng: np.random.Generator) -> str:
    others = SYNONYMS.get(name, ())
    return _one(others, rng) if others and rng.random() < _OTHER_NAME else name


def _one(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
