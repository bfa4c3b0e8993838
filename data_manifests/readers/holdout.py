"""Hold out whole recordings of a table without splits."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.errors import InputError, UsageError
from data_manifests.schema import LABELS, Label

Classes = frozenset[tuple[Label, str]]
"""Labels of a clip with their names."""

_NAMED = 12


@dataclass(frozen=True)
class Holdout:
    """Share of the clips to hold out, and its seed.

    Attributes:
        percent: of the clips, more than 0 and less than 100.
        seed: another seed gives another choice.
    """

    percent: float
    seed: int = 0

    @classmethod
    def parse(cls, written: str | float, seed: int = 0) -> Holdout:
        """Parse a percentage: '20%', '20' or a number.

        Raises:
            UsageError: it is no number above 0 and below 100.
        """
        try:
            percent = float(written.strip().removesuffix("%") if isinstance(written, str) else written)
        except ValueError:
            percent = math.nan
        if not 0 < percent < 100:
            raise UsageError(f"--holdout {written}: expected a percentage above 0 and below 100, for instance 20%")
        return cls(percent, seed)


@dataclass(frozen=True)
class HeldOut:
    """Recordings that are held out, with what that means for the classes.

    Attributes:
        chosen: the held-out recordings, by name.
        recordings: number of all recordings.
        held_clips: number of held-out clips.
        clips: number of all clips.
        held: classes of the held-out clips.
        kept: classes of the other clips.
        holdout: what was asked for.
    """

    chosen: tuple[str, ...]
    recordings: int
    held_clips: int
    clips: int
    held: Classes
    kept: Classes
    holdout: Holdout

    def sentences(self) -> list[str]:
        """Say which recordings are held out, and which classes lack clips."""
        share = f"{self.held_clips} of {self.clips} clips, {100 * self.held_clips / self.clips:.0f} %"
        found = [
            f"held out {len(self.chosen)} of {self.recordings} recordings: {_listed(self.chosen)} ({share}; "
            f"--holdout {self.holdout.percent:g}%, seed {self.holdout.seed})"
        ]
        for what, classes in (
            ("without a held-out clip", self.kept - self.held),
            ("held out and without a training clip", self.held - self.kept),
        ):
            for label in LABELS:
                named = sorted(name for of, name in classes if of == label)
                found += [f"{label}s {what}: {_listed(named)}"] if named else []
        return found


def hold_out(clips: Iterable[tuple[str, Classes]], holdout: Holdout) -> HeldOut:
    """Choose whole recordings to hold out.

    Recordings are taken one by one until the share of clips is reached as nearly as whole recordings allow. The next
    one is that which costs the fewest classes their last training clip, then that which adds most classes to the
    held-out ones. Among equals a hash of seed and name decides.

    Args:
        clips: recording and classes of each clip.
        holdout: share and seed.

    Raises:
        InputError: there is only one recording.
    """
    of_recording: dict[str, list[Classes]] = {}
    for recording, classes in clips:
        of_recording.setdefault(recording, []).append(classes)
    total = sum(map(len, of_recording.values()))
    if len(of_recording) < 2:
        raise InputError(
            f"--holdout {holdout.percent:g}%: all {total} clips are of one recording ({_listed(list(of_recording))}). "
            "Clips of one recording look alike, so a part of it says nothing about other footage. Add another "
            "recording, tell recordings apart in a column recording_id, or give the splits in a column split."
        )
    counted = {name: Counter(item for clip in found for item in clip) for name, found in of_recording.items()}
    kept: Counter[Any] = sum(counted.values(), Counter())
    target = total * holdout.percent / 100
    left = sorted(of_recording, key=lambda name: hashlib.sha256(f"{holdout.seed}/{name}".encode()).digest())
    chosen: list[str] = []
    held: set[Any] = set()
    held_clips = 0
    while len(left) > 1:
        # At least one is taken; another one only if that comes nearer to the share.
        near = [name for name in left if abs(held_clips + len(of_recording[name]) - target) < abs(held_clips - target)]
        if not near and chosen:
            break
        best = min(near or left, key=lambda name: _cost(counted[name], kept, held, len(of_recording[name]), target))
        if chosen and _lost(counted[best], kept):
            break
        left.remove(best)
        chosen.append(best)
        held_clips += len(of_recording[best])
        held |= set(counted[best])
        kept -= counted[best]
    left_over = frozenset(name for name, count in kept.items() if count)
    return HeldOut(tuple(sorted(chosen)), len(of_recording), held_clips, total, frozenset(held), left_over, holdout)


def _cost(of: Mapping[Any, int], kept: Mapping[Any, int], held: set[Any], clips: int, target: float) -> tuple[int, ...]:
    """Rank a recording: classes lost to training, clips far too many, classes that are new among the held-out."""
    return _lost(of, kept), int(clips > 1.5 * target), -len(set(of) - held)


def _lost(of: Mapping[Any, int], kept: Mapping[Any, int]) -> int:
    return sum(count >= kept[name] for name, count in of.items())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
