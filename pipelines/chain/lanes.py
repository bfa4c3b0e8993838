"""Find the shards of several stages that can be made now.

Stages read each other group by group. So the boxes of one group of videos can be made while others are decoded. A
*line* is one stage with the state of each of its shards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path

from data_manifests.errors import MissingUpstream
from pipelines.chain.executor import Step
from pipelines.decode.stage import DecodeStage
from pipelines.embed.stage import EmbedStage
from pipelines.engine import stage
from pipelines.engine.inspection import Inspection, Unit
from pipelines.engine.progress import Progress
from pipelines.engine.report import Report, new_report
from pipelines.engine.stage import RunPolicy, Stage, WritesScratch
from pipelines.hands.stage import HandsStage


@dataclass
class SomeFrames(DecodeStage):
    """A decode stage of which only some groups are looked at.

    Attributes:
        only: its units by clips.
    """

    only: Sequence[Unit] = ()

    def units_by_clips(self) -> list[Unit]:
        """Return the units of these groups."""
        return list(self.only)


def narrowed(item: Stage, units: Sequence[Unit]) -> Stage:
    """Return a stage that reads the frames of some groups only.

    A stage that reads no frames is returned as it is.

    Args:
        item: the stage.
        units: units of the decode stage, by their clips.
    """
    if not isinstance(item, HandsStage | EmbedStage):
        return item
    frames = item.frames
    known = {part.name: getattr(frames, part.name) for part in fields(frames) if part.init}
    some = SomeFrames(**{**known, "only": units})
    return replace(item, frames=some)


def narrowed_to(item: Stage, units: Sequence[Unit]) -> Stage:
    """Return a stage that reads the frames of some units only."""
    if not isinstance(item, HandsStage | EmbedStage):
        return item
    of_frames = []
    for unit in units:
        clips = {name: value for name, value in unit.payload.footer.inputs.items() if name.startswith("clips of ")}
        of_frames.append(Unit(unit.group, unit.payload.path, clips, payload=unit.payload.videos))
    return narrowed(item, of_frames)


def folders_read(item: Stage) -> list[Path]:
    """List the folders whose shards a stage reads group by group.

    The full stream is one of the hand stream's: its vectors serve frames without a hand.
    """
    if not isinstance(item, HandsStage | EmbedStage):
        return []
    found = [item.frames.folder]
    if isinstance(item, EmbedStage) and item.hands is not None:
        found += [item.hands, replace(item, hands=None, policy=None).folder]
    return found


@dataclass
class Line:
    """One stage and the state of its shards, by group.

    Attributes:
        stage: the stage.
        step: number of its step.
        place: its place among the stages of the step.
        network: it runs a network.
        reads: lines whose shards it reads.
        frames: units by clips of all groups; None for a stage that reads no frames of another line.
        waiting: shards that can be made now.
        given: shards that a worker is making.
        tries: groups that were lost with their worker → how often.
        there: groups whose shard is there.
        lost: groups whose shard could not be made.
        report: counts, completed at the end.
        expected: number of shards that it will have, as far as it is known.
        concluded: its report is complete.
    """

    stage: Stage
    step: int
    place: int
    network: bool
    reads: list[Line]
    frames: Mapping[str, Unit] | None = None
    waiting: dict[str, Inspection] = field(default_factory=dict)
    given: dict[str, Inspection] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    there: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    report: Report = field(default_factory=lambda: Report("", ""))
    expected: int = 0
    concluded: bool = False

    @property
    def complete(self) -> bool:
        """True where nothing more can be made."""
        return not self.waiting and not self.given and all(line.complete for line in self.reads)

    def knows(self, group: str) -> bool:
        """Return True for a group that was planned already."""
        return any(group in groups for groups in (self.there, self.waiting, self.given, self.lost))

    @property
    def settled(self) -> int:
        """Number of groups that are there or lost."""
        return len(self.there) + len(self.lost)


class Lanes:
    """The lines of several steps.

    Steps are built as soon as the steps before have shards to read.

    Args:
        steps: the steps in order.
        policy: choice of shards; a limit and a part of the shards apply to the first step of a line only.
        progress: receives notes.
    """

    def __init__(self, steps: Sequence[Step], policy: RunPolicy, progress: Progress) -> None:
        self.lines: list[Line] = []
        self._steps, self._policy, self._progress = list(steps), policy, progress
        self._built = 0

    @property
    def done(self) -> bool:
        """True where all steps are built and nothing more can be made."""
        return self._built == len(self._steps) and all(line.complete for line in self.lines)

    @property
    def steps_built(self) -> int:
        """Number of steps that are built."""
        return self._built

    def build(self) -> list[list[Stage]]:
        """Build the next steps, as far as their inputs are there.

        Returns:
            The stages of each step that was built by this call.

        Raises:
            MissingUpstream: inputs are missing, and no line will make them.
        """
        found = []
        while self._built < len(self._steps):
            making = [line for line in self.lines if not line.complete]
            if any(line.step == self._built - 1 and not line.there for line in making):
                break
            try:
                stages = list(self._steps[self._built].builds[0]())
            except MissingUpstream:
                if making:
                    break
                if any(line.lost for line in self.lines):
                    del self._steps[self._built :]  # nothing will make its inputs
                    break
                raise
            self._add(stages)
            found.append(stages)
        return found

    def take(self, network: bool | None, share: int) -> tuple[Line, list[Inspection]] | None:
        """Take shards of one stage that can be made now.

        None where nothing can be made. Later steps come first. While a step waits to be built, the stage with the
        fewest shards comes next, since that step needs one of each; then it is the first stage. A shard that was lost
        with its worker comes alone.

        Args:
            network: only stages with (True) or without (False) a network; None takes both.
            share: at most one of this many parts of the waiting shards.
        """
        lines = [line for line in self.lines if line.waiting and network in (None, line.network)]
        if not lines:
            return None
        building = self._built < len(self._steps)
        line = min(lines, key=lambda line: (-line.step, line.settled + len(line.given) if building else line.place))
        count = min(_MOST, max(1, len(line.waiting) // share))
        fresh = list(islice((group for group in line.waiting if group not in line.tries), count))
        taken = [line.waiting.pop(group) for group in fresh or [next(iter(line.waiting))]]
        line.given.update({item.unit.group: item for item in taken})
        return line, taken

    def number_waiting(self, network: bool | None) -> int:
        """Count the shards that can be made now, as for :meth:`take`."""
        return sum(len(line.waiting) for line in self.lines if network in (None, line.network))

    def made(self, line: Line, group: str, here: bool) -> None:
        """Record that a shard is there; its readers become ready."""
        item = line.given.pop(group)
        line.report.count(item.unit, here)
        self._settle(line, [group])

    def again(self, line: Line, group: str) -> None:
        """Record that a shard is to be made again."""
        line.tries[group] += 1
        line.waiting[group] = line.given.pop(group)

    def lose(self, line: Line, group: str) -> None:
        """Record that a shard cannot be made."""
        del line.given[group]
        line.lost.add(group)

    def _add(self, stages: Sequence[Stage]) -> None:
        start = len(self.lines)
        for place, item in enumerate(stages):
            line = Line(item, self._built, place, self._steps[self._built].network, self._read_by(item))
            self.lines.append(line)
            if isinstance(item, WritesScratch):
                item.remove_old_scratch()
            if line.reads and isinstance(item, HandsStage | EmbedStage):
                line.frames = self._units_by_clips(line, item.frames)
                line.report, line.expected = new_report(item), len(line.frames)
            else:
                self._add_whole(line)
        self._built += 1
        for line in self.lines[start:]:
            if line.frames is not None:
                self._open(line, line.frames)

    def _read_by(self, item: Stage) -> list[Line]:
        """Find the lines whose shards a stage reads; none where its frames are no line's."""
        folders = folders_read(item)
        reads = [line for line in self.lines if line.stage.folder in folders]
        return reads if any(line.stage.folder == folders[0] for line in reads) else []

    def _add_whole(self, line: Line) -> None:
        """Plan a line whose inputs no other line makes."""
        first = stage.plan(line.stage, self._policy)
        stage.note_or_refuse(line.stage, first.lacking, self._policy, self._progress)
        line.report = new_report(line.stage, len(first.done))
        line.waiting = {item.unit.group: item for item in first.todo}
        line.there = {item.unit.group for item in first.done}
        line.expected = len(first.todo) + len(first.done)

    def _units_by_clips(self, line: Line, frames: DecodeStage) -> Mapping[str, Unit]:
        known = (other.frames for other in line.reads if other.frames is not None)
        return next(known, None) or {unit.group: unit for unit in frames.units_by_clips()}

    def _settle(self, line: Line, groups: Sequence[str]) -> None:
        line.there.update(groups)
        for reader in self.lines:
            if line in reader.reads:
                self._open(reader, groups)

    def _open(self, line: Line, groups: Iterable[str]) -> None:
        """Plan the groups whose inputs are all there."""
        frames = line.frames or {}
        ready = [
            frames[group]
            for group in groups
            if not line.knows(group) and all(group in other.there for other in line.reads)
        ]
        if not ready:
            return
        found = stage.plan(narrowed(line.stage, ready), self._policy)
        line.waiting |= {item.unit.group: item for item in found.todo}
        line.report.already_done += len(found.done)
        self._settle(line, [item.unit.group for item in found.done])

    def finished(self) -> Iterator[Line]:
        """Yield each line once, when it is complete."""
        for line in self.lines:
            if line.complete and not line.concluded:
                line.concluded = True
                yield line


_MOST = 8
"""Shards that a worker is given at once, at most."""
