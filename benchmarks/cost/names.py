"""Class names of our own, as long as those of kitchens and of everyday life: one to four words."""

from __future__ import annotations

_THINGS = (
    "cup knife pan bowl lid tap spoon onion bag board fridge plate sponge bottle dough drill hammer wire brush card "
    "cloth carrot cheese fork glass handle oven phone rope tin"
).split()
_BEFORE = (
    "|chopping|piece of|left side of|white|red|washing up|broken|wooden|pack of|metal|clean|inside of|small|frozen|"
    "round|spare|box for a"
).split("|")


def class_names(count: int) -> list[str]:
    """The first of 540 distinct names, words and lengths mixed from the start."""
    things, before = len(_THINGS), len(_BEFORE)
    names = []
    for number in range(count):
        turn = number // things
        first = _BEFORE[(number + turn) % before]
        names.append(f"{first} {_THINGS[number % things]}".strip())
    return names
