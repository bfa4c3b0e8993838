"""Schema, reader and writer of ``metrics.json``, the numbers of one evaluation.

What is not set here is left out of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_manifests.errors import InputError
from data_manifests.schema import Label
from pipelines.engine.atomic import write_if_changed
from pipelines.engine.sealed import is_changed, sealed
from pipelines.evaluate.intervals import (
    CROSS,
    WITHIN,
    Interval,
    Kind,
    interval,
    is_degenerate,
    resampled,
    too_few,
    wilson,
)
from pipelines.evaluate.options import Control, FrameOrder, Vectors

METRICS = "metrics.json"
SCHEMA = 3

_BETWEEN, _FRAMES = "@", "frames-"


def folder_name(run: str, control: Control) -> str:
    """Name the folder of an evaluation below ``evaluations/``.

    It is the run's name. A control adds what it alters: ``<run>@<vectors>`` or ``<run>@frames-<order>``.
    """
    order = [] if control.order == "own" else [f"{_FRAMES}{control.order}"]
    return _BETWEEN.join([run, *([] if control.vectors == "own" else [control.vectors]), *order])


def parse_folder_name(name: str) -> tuple[str, Control]:
    """Split a folder's name into the run and its control.

    This reverses :func:`folder_name`. A control that xmic does not know keeps its name, which nothing accepts.
    """
    run, _, altered = name.partition(_BETWEEN)
    if altered.startswith(_FRAMES):
        return run, Control(order=altered.removeprefix(_FRAMES))  # type: ignore[arg-type]
    return run, Control(altered or "own")  # type: ignore[arg-type]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class Run(_Part):
    """Evaluated run: method, preset, seed, key and how it was trained.

    ``recipe`` and ``epochs`` are None for a method that learns nothing. Of a model whose scores were given to
    ``xmic score`` only name and method are known.

    ``select`` is the rule by which the epoch was kept, ``source_val`` the percent of recordings held out.
    ``select_target`` names the labelled clips ('dataset:split') that chose the epoch, which leaks. ``changed_settings``
    and ``changed_recipe`` are what ``--set``, ``--fixed-frames`` and ``--precision`` changed from the preset.
    """

    name: str
    method: str
    preset: str | None
    seed: int | None
    key: str | None
    recipe: str | None
    epochs: int | None
    select: str = "last"
    source_val: float | None = None
    select_target: str | None = None
    leaking: bool = False
    changed_settings: dict[str, Any] = {}
    changed_recipe: dict[str, Any] = {}

    @property
    def scored(self) -> bool:
        """Return whether the scores were given to ``xmic score``, without a run."""
        return self.key is None

    @property
    def terms(self) -> str:
        """Training of the run in words.

        For example 'recipe matched, 15 epochs, 10% of the training recordings held out, epoch kept: source-val'.
        """
        if self.scored:
            return "scores that were given; how the model was trained is not known here"
        if self.recipe is None:
            return "nothing is learned"
        held = [] if self.source_val is None else [f"{self.source_val:g}% of the training recordings held out"]
        by = f" by {self.select_target} (leaks)" if self.leaking else ""
        return ", ".join([f"recipe {self.recipe}", f"{self.epochs} epochs", *held, f"epoch kept: {self.select}{by}"])


class DatasetSplit(_Part):
    """A split of a dataset."""

    dataset: str
    split: str

    def __str__(self) -> str:
        """Return 'dataset split', or 'not said' without a dataset."""
        return f"{self.dataset} {self.split}" if self.dataset else "not said"


NOT_SAID = DatasetSplit(dataset="", split="")
"""Training split of a model where it was not given."""


class Mixed(_Part):
    """Setting in which the target's artifacts differ from the run's."""

    what: str
    run: Any
    target: Any


class Counts(_Part):
    """Clip counts of a number: evaluated, official and by recording.

    ``n_official`` is how many clips should be evaluated. ``recordings`` maps a recording to (clips that are right,
    clips). For a random reference the clips that are right are their expected number.
    """

    n_evaluated: int
    n_official: int
    recordings: dict[str, tuple[int | float, int]]

    @property
    def partial(self) -> bool:
        """Return whether clips of the split are missing from the number."""
        return self.n_evaluated < self.n_official

    @property
    def few(self) -> bool:
        """Return whether recordings or clips are too few for an interval."""
        return bool(self.recordings) and too_few(self.recordings)

    @property
    def interval_kind(self) -> Kind | None:
        """How the interval of the accuracy is found.

        It is None without a clip.
        """
        if not any(clips for _, clips in self.recordings.values()):
            return None
        return "wilson" if is_degenerate(self.recordings) else "bootstrap"

    def of_part(self, part: Counts) -> dict[str, tuple[int | float, int]]:
        """Count a part of these clips by all of their recordings.

        Recordings without a clip of the part count (0, 0), so that all parts are resampled by the same recordings.
        """
        return {name: part.recordings.get(name, (0, 0)) for name in self.recordings}


class Counted(Counts):
    """Share of clips that are right, in percent.

    ``percent`` is None where there is no clip.
    """

    percent: float | None


class PartNumbers(_Part):
    """Accuracy on one part of the target's classes.

    In ``restricted`` only the classes of the part compete, in ``unrestricted`` all of the target's classes.
    """

    classes: int
    restricted: Counted | None
    unrestricted: Counted | None


class Means(_Part):
    """Harmonic mean of shared and novel accuracy, in percent."""

    restricted: float | None
    unrestricted: float | None


class Reference(Counted):
    """Accuracy of a reference row; an oracle knows the target's labels."""

    oracle: bool
    parts: dict[str, PartNumbers | None] = {}
    shared_novel_hm: Means | None = None


class Calibration(_Part):
    """Expected calibration errors of one head, as trained and at its temperature.

    Both are in percent. ``fitted_on`` is the split that the temperature was fitted on, None where it was not fitted.
    """

    bins: int
    ece: float
    temperature: float
    fitted_on: str | None
    ece_at_temperature: float


class Pairs(Counted):
    """Accuracy on seen or on unseen verb-noun pairs.

    A pair is seen where a training clip of the source shows it. ``pairs`` is how many of them occur.
    """

    pairs: int


class Actions(Counts):
    """Action accuracy in percent: verb and noun are both right.

    It is over the clips that carry both labels.
    """

    top1: float | None
    top5: float | None
    seen: Pairs | None
    unseen: Pairs | None


class EpicNumbers(Counted):
    """One of EPIC-KITCHENS-100's own numbers; ``top5`` of the overall ones only."""

    top5: float | None = None


class Spread(_Part):
    """95 % interval of a number, in percent, and its kind."""

    low: float
    high: float
    kind: Kind


class ClipsFile(_Part):
    """List of clips that an evaluation is restricted to.

    ``sha256`` is that of its file, ``clips`` counts its clips in this split.
    """

    sha256: str
    clips: int


class Numbers(Counts):
    """Accuracies of one label, in percent.

    An accuracy is None where no clip could be evaluated. ``recordings`` counts the clips that are right at top-1.
    ``selected_epoch`` is the kept epoch, ``lr`` a learning rate that was chosen.
    """

    top1: float | None
    top5: float | None
    class_mean: float | None
    classes: int
    classes_present: int
    selected_epoch: int | None = None
    lr: float | None = None
    any_noun: Counted | None = None
    calibration: Calibration | None = None
    parts: dict[str, PartNumbers | None] = {}
    shared_novel_hm: Means | None = None
    novel_called_shared: Counted | None = None
    references: dict[str, Reference | None] = {}


class SharedAndNovel(_Part):
    """Split of the target's classes into shared and novel ones.

    ``rule`` is how classes are matched with the source's, ``sha256`` the hash of the split. ``classes`` counts the
    classes of each part, None where the count is not known.
    """

    rule: str
    sha256: str
    classes: dict[str, int | None]

    def __str__(self) -> str:
        """Return 'exact rule: 163 shared, 137 novel; sha256 …'."""
        known = [f"{count} {part}" for part, count in self.classes.items() if count is not None]
        return f"{self.rule} rule: {', '.join(known)}; sha256 {self.sha256}"


class Metrics(_Part):
    """Numbers and facts of one evaluation, the content of ``metrics.json``.

    A label whose head was not trained is not in ``labels``. ``source`` is the training split, None where it was not
    given. ``intervals`` maps a number, named as in ``card.json``, to its interval. Two are not in the file:
    ``outdated`` describes in words what has changed since, and ``apart`` is what tells the run apart from others.
    """

    schema_number: int = Field(alias="schema")
    run: Run
    source: DatasetSplit | None
    target: DatasetSplit
    within: bool
    protocol: dict[str, Any]
    random_weights: list[str]
    pretrained_on: dict[str, str] = {}
    mixed: list[Mixed]
    xmic_vector: Vectors = "own"
    frame_order: FrameOrder = "own"
    vocabulary: dict[Label, SharedAndNovel] = {}
    hand_fallback_rate: float | None
    labels: dict[Label, Numbers]
    actions: Actions | None = None
    epic: dict[str, dict[str, EpicNumbers]] | None = None
    clips_file: ClipsFile | None = None
    intervals: dict[str, Spread] = {}
    failures: dict[str, dict[str, int]]
    given_files: dict[str, str] = {}
    versions: dict[str, str]
    commands: list[str]
    outdated: str = Field(default="", exclude=True)
    apart: dict[str, Any] = Field(default={}, exclude=True)

    @property
    def stream(self) -> int:
        """Stream of random draws that all numbers of this evaluation use."""
        return WITHIN if self.within else CROSS

    def draws(self, counts: Counts | None, whole: Counts | None = None) -> np.ndarray:
        """Resample the recordings of one number of this evaluation.

        ``whole`` belongs to a number on part of the clips: it is the number on all of them, whose recordings are drawn.

        Returns:
            float64 [10000], percent; empty without a clip. A draw without a clip of the part is NaN.
        """
        if counts is None or whole is None:
            return resampled(counts.recordings if counts else {}, self.stream)
        return resampled(whole.of_part(counts), self.stream, all_names=True)

    def interval(self, counts: Counts | None, whole: Counts | None = None) -> Interval | None:
        """Compute the 95 % interval of one number of this evaluation.

        It is a cluster bootstrap interval over the recordings of :meth:`draws`, or a Wilson interval where these are
        all equal (:attr:`Counts.interval_kind`). It is in percent; None without a clip.
        """
        if counts is not None and counts.interval_kind == "wilson":
            right, clips = (sum(column) for column in zip(*counts.recordings.values(), strict=True))
            return wilson(100 * right / clips, counts.recordings)
        return interval(self.draws(counts, whole))

    def as_dict(self) -> dict[str, Any]:
        """Return the content of metrics.json as plain values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @property
    def trained_on(self) -> DatasetSplit:
        """Training split, :data:`NOT_SAID` where it was not given."""
        return self.source or NOT_SAID

    @property
    def name(self) -> str:
        """Name of the run, with what a control alters."""
        return folder_name(self.run.name, self.control)

    @property
    def control(self) -> Control:
        """What was altered."""
        return Control(self.xmic_vector, self.frame_order)

    @property
    def chosen(self) -> str:
        """Kept epoch and chosen learning rate of each head, in words.

        For example 'noun epoch 12, learning rate 0.001; verb epoch 15'; empty where the epoch is not known.
        """
        known = {label: numbers for label, numbers in self.labels.items() if numbers.selected_epoch is not None}
        return "; ".join(
            f"{label} epoch {numbers.selected_epoch}" + (f", learning rate {numbers.lr:g}" if numbers.lr else "")
            for label, numbers in known.items()
        )

    @property
    def labelled(self) -> bool:
        """Return whether the split has labels at all."""
        return any(numbers.n_official for numbers in self.labels.values())

    @property
    def complete(self) -> bool:
        """Return whether nothing failed and every labelled clip is evaluated."""
        partial = any(numbers.partial for numbers in self.labels.values())
        return not partial and not any(self.failures.values())


def metrics_text(plain: Mapping[str, Any]) -> str:
    """Format the content of metrics.json: indented, but each recording on one line."""
    text = json.dumps(plain, indent=2, sort_keys=True, allow_nan=False)
    return re.sub(r"\[\s+([\d.e+-]+),\s+(\d+)\s+\]", r"[\1, \2]", text) + "\n"


def write_metrics(folder: Path, metrics: Metrics) -> None:
    """Write metrics.json, with its digest, into the folder of an evaluation."""
    write_if_changed(folder / METRICS, metrics_text(sealed(metrics.as_dict())))


def read_metrics(file: Path) -> Metrics:
    """Read a metrics file.

    Raises:
        InputError: the file is not JSON or of another schema, its content is not what was written, or a value is
            missing or of the wrong kind.
    """
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON ({error}). Run xmic evaluate again.") from None
    schema = stored.get("schema") if isinstance(stored, dict) else None
    if schema != SCHEMA:
        raise InputError(f"{file}: schema {schema!r}, this xmic reads schema {SCHEMA}. Run xmic evaluate again.")
    if is_changed(stored):
        raise InputError(f"{file}: its content is not what was written. Run xmic evaluate again.")
    try:
        return Metrics.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{file}: {where}: {first['msg']}. Run xmic evaluate again.") from None
