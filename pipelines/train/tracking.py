"""Feed experiment trackers with the rows of ``metrics.jsonl``.

The rows in a run's folder stay the truth: no tracker changes a training, its files or its key. How many rows a tracker
has is kept in the workspace, so a training that goes on, or is trained already, adds what a tracker lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress
from pipelines.engine.workspace import Workspace
from pipelines.train.finished import read_log
from pipelines.train.loop import METRICS
from pipelines.train.matched import TRIALS
from pipelines.train.options import TrackerName
from pipelines.train.plan import PlannedRun
from pipelines.train.trackers import TRACKERS, TrackedRun, Tracker, refuse_missing

_COUNT = "rows-written"
_SETTINGS = ("method", "preset", "method_config", "recipe", "selection", "seed", "fixed_frames", "precision", "source")
_OF_PROTOCOL = ("encoder", "v2", "streams", "classify", "segments", "prompt", "names")


def all_rows(run: Path, label: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the parts of a head with the lines of their ``metrics.jsonl``.

    They are the head itself and its trials of learning rates. A method that learns nothing has none.

    Raises:
        InputError: such a file is damaged.
    """
    for file in [*sorted((run / label / TRIALS).glob(f"*/{METRICS}")), run / label / METRICS]:
        if file.is_file():
            yield file.parent.relative_to(run).as_posix().replace(f"/{TRIALS}/", "/"), read_log(file.parent)


class Tracking:
    """Trackers of one run; one that fails is left out.

    A tracker is opened for the first row that it lacks.
    """

    def __init__(
        self, names: tuple[TrackerName, ...], workspace: Workspace, planned: PlannedRun, progress: Progress
    ) -> None:
        """Check that the trackers are installed.

        Raises:
            UsageError: a tracker's package is missing.
        """
        refuse_missing(names)
        self._names = list(dict.fromkeys(names))
        self._open: dict[TrackerName, Tracker] = {}
        self._workspace, self._planned, self._progress = workspace, planned, progress

    def rows(self, part: str, lines: Sequence[str]) -> None:
        """Write the rows that a tracker lacks.

        Args:
            part: of the run, such as 'noun'.
            lines: all lines of the part's ``metrics.jsonl`` so far.
        """
        for name in list(self._names):
            try:
                self._write(name, part, lines)
            except Exception as error:  # whatever a tracker raises must not stop a training
                self._leave_out(name, error)

    def close(self) -> None:
        """End all trackers that were opened."""
        for name, tracker in list(self._open.items()):
            try:
                tracker.close()
            except Exception as error:
                self._leave_out(name, error)
        self._open.clear()

    def _write(self, name: TrackerName, part: str, lines: Sequence[str]) -> None:
        count = self._folder(name) / self._planned.name / part / _COUNT
        done = int(count.read_text("utf-8")) if count.is_file() else 0
        for line in lines[done:]:
            if name not in self._open:
                self._open[name] = TRACKERS[name](self._run(name))
            row = json.loads(line)
            epoch = int(row.pop("epoch"))
            values = {key: float(value) for key, value in row.items() if isinstance(value, int | float)}
            self._open[name].write(part, values, epoch, self._rows_before(name))
            done += 1
            count.parent.mkdir(parents=True, exist_ok=True)
            with replace_atomically(count) as temporary:
                temporary.write_text(f"{done}\n", "utf-8")

    def _rows_before(self, name: TrackerName) -> int:
        counts = (self._folder(name) / self._planned.name).rglob(_COUNT)
        return sum(int(count.read_text("utf-8")) for count in counts)

    def _folder(self, name: TrackerName) -> Path:
        return self._workspace.tracking(name)

    def _run(self, name: TrackerName) -> TrackedRun:
        config = self._planned.config
        protocol = {key: config["protocol"][key] for key in _OF_PROTOCOL}
        settings = {**{key: config[key] for key in _SETTINGS if key in config}, "protocol": protocol}
        return TrackedRun(self._planned.name, self._planned.key, settings, self._folder(name))

    def _leave_out(self, name: TrackerName, error: Exception) -> None:
        self._names.remove(name)
        self._open.pop(name, None)
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        self._progress.note(
            f"warning: --log {name} failed ({what}). The training goes on without it; metrics.jsonl has every epoch. "
            "The same command again writes what it lacks."
        )
