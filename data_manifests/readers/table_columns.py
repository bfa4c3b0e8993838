"""Match a user's columns to ours and find probable misspellings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from data_manifests.errors import InputError

_AROUND = "(?:second|sec|s|milli|msec|ms|time|stamp|t|at|frame|number|idx|index|clip|action|segment|video)*"
_STARTS = re.compile(f"{_AROUND}(?:start|begin|onset)s?{_AROUND}")
_STOPS = re.compile(f"{_AROUND}(?:stop|end|finish)s?{_AROUND}")
_LABEL = re.compile("(?:action|main|gt|true)?(?:(verb|noun)s?(?:name|label|class|text|id)*|objects?(?:name|class)?)")
_ANY_LABEL = frozenset(["label", "labels", "class", "classname", "category", "action", "actions", "activity"])
_MILLISECONDS = re.compile("ms(?:ec)?s?$|milli")
_ALIKE = 0.8  # 'participant' for participant_id, 'vrb' for verb; not start_time for start_frame


def check_columns(file: Path, found: Sequence[str], columns: Mapping[str, str]) -> str | None:
    """Refuse unread columns that look like one of our absent ones.

    Args:
        file: the table.
        found: the columns of the table.
        columns: our column name → the table's; '' for one that the user declared absent.

    Returns:
        A sentence that names the columns that are not read; None when there are none.

    Raises:
        InputError: an unread column is probably a column of ours under another name.
    """
    read = set(columns.values())
    unread = [name for name in found if name not in read]
    meant = _meant(unread, _absent(found, columns))
    if meant:
        raise InputError(f"{file}: {_says(meant)}")
    names = ", ".join(repr(name) for name in unread)
    return f"{file.name}: columns that are not read: {names}" if unread else None


def _absent(found: Sequence[str], columns: Mapping[str, str]) -> set[str]:
    """Return our columns that the table might have under another name."""
    there = {ours for ours, theirs in columns.items() if theirs in found}
    absent = {ours for ours, theirs in columns.items() if theirs and ours not in there}
    if "start_s" in there or "stop_s" in there:
        absent -= {"start_frame", "stop_frame"}  # videos are numbered JPEGs or have seconds
    if "noun" in there or "all_nouns" in there:
        absent -= {"noun", "all_nouns"}
    return absent


def _meant(unread: Sequence[str], absent: Collection[str]) -> dict[str, str]:
    """Map each of our absent columns to the unread one like it."""
    meant: dict[str, str] = {}
    for theirs in unread:
        ours = _ours(theirs, absent)
        if ours is not None:
            meant.setdefault(ours, theirs)
    return meant


def _ours(theirs: str, absent: Collection[str]) -> str | None:
    bare = re.sub("[^a-z]", "", theirs.casefold())
    label = _LABEL.fullmatch(bare)
    by_name = None
    if _STARTS.fullmatch(bare):
        by_name = "start_frame" if "frame" in bare else "start_s"
    elif _STOPS.fullmatch(bare):
        by_name = "stop_frame" if "frame" in bare else "stop_s"
    elif label:
        by_name = "all_nouns" if bare == "nouns" else label[1] or "noun"
    elif bare in _ANY_LABEL and {"verb", "noun"} <= set(absent):
        by_name = "verb" if bare.startswith("act") else "noun"
    if by_name is not None:
        return by_name if by_name in absent else None
    folded = re.sub("[^a-z]+", "_", theirs.casefold()).strip("_")
    return next(iter(get_close_matches(folded, sorted(absent), 1, _ALIKE)), None)


def _says(meant: Mapping[str, str]) -> str:
    several = len(meant) > 1
    names = " and ".join(repr(theirs) for theirs in meant.values())
    maps = " ".join(f"--column {ours}={theirs}" for ours, theirs in meant.items())
    none = " ".join(f"--column {ours}=" for ours in meant)
    text = (
        f"the column{'s' * several} {names} {'are' if several else 'is'} not read, and there is no "
        f"{' and no '.join(meant)}. If that is what {'they are' if several else 'it is'}: {maps}. If not, say that "
        f"the table has none: {none}."
    )
    if any(ours in ("start_s", "stop_s") and _MILLISECONDS.search(theirs) for ours, theirs in meant.items()):
        text += " The names speak of milliseconds; expected seconds."
    return text
