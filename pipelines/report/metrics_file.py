"""``metrics.json`` as an evaluation leaves it, checked when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from data_manifests.errors import InputError
from data_manifests.schema import Label
from pipelines.evaluate.folders import folder_name

SCHEMA = 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class Run(_Part):
    """Which run; ``recipe`` and ``epochs`` are None for a method that learns nothing. Of a model whose scores were
    given to ``xmic score`` only name and method are known.

    ``select`` is the epoch that was kept, ``source_val`` the percent of recordings held out, ``select_target`` the
    labelled clips ('dataset:split') it was chosen by, which leaks; ``changed_settings`` and ``changed_recipe`` is what
    ``--set`` made other than the preset has it.
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
        """Whether there is no run: ``xmic score`` was given the scores of some model."""
        return self.key is None

    @property
    def terms(self) -> str:
        """'recipe matched, 15 epochs, 10% of the training recordings held out, epoch kept: source-val'."""
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
        """'dataset split'."""
        return f"{self.dataset} {self.split}" if self.dataset else "not said"


_NOT_SAID = DatasetSplit(dataset="", split="")


class Mixed(_Part):
    """Something in which the target's artifacts differ from the run's."""

    what: str
    run: Any
    target: Any


class Counted(_Part):
    """Clips that are right: percent (None where there is no clip), clips, and of each recording how many clips are
    right and how many there are; of a reference that draws, how many can be expected to be right."""

    percent: float | None
    n_evaluated: int
    n_official: int
    recordings: dict[str, tuple[float, int]]


class PartNumbers(_Part):
    """The clips of a part of the target's classes: only its classes compete, or all of them."""

    classes: int
    restricted: Counted | None
    unrestricted: Counted | None


class Means(_Part):
    """The harmonic mean of shared and novel accuracy, percent."""

    restricted: float | None
    unrestricted: float | None


class Reference(Counted):
    """A reference row; an oracle knows the target's labels."""

    oracle: bool
    parts: dict[str, PartNumbers | None] = {}
    shared_novel_hm: Means | None = None


class Calibration(_Part):
    """Expected calibration errors in percent, as trained and at a temperature; where that was fitted, if it was."""

    bins: int
    ece: float
    temperature: float
    fitted_on: str | None
    ece_at_temperature: float


class Pairs(Counted):
    """Actions whose pair of verb and noun the source trains on, or does not; ``pairs`` is how many of them occur."""

    pairs: int


class Actions(_Part):
    """Verb and noun both right, of the clips that carry both, in percent."""

    top1: float | None
    top5: float | None
    n_evaluated: int
    n_official: int
    recordings: dict[str, tuple[int, int]]
    seen: Pairs | None
    unseen: Pairs | None


class EpicNumbers(Counted):
    """One of EPIC-KITCHENS-100's own numbers; ``top5`` of the overall ones only."""

    top5: float | None = None


class ClipsFile(_Part):
    """The list that an evaluation was held to: the sha256 of its file, and its clips in this split."""

    sha256: str
    clips: int


class Numbers(_Part):
    """One label: accuracies in percent (None where no clip could be evaluated), clips and classes; of each recording
    how many clips are right at top-1, and how many there are; the kept epoch, and a learning rate that was chosen."""

    top1: float | None
    top5: float | None
    class_mean: float | None
    n_evaluated: int
    n_official: int
    classes: int
    classes_present: int
    recordings: dict[str, tuple[int, int]]
    selected_epoch: int | None = None
    lr: float | None = None
    any_noun: Counted | None = None
    calibration: Calibration | None = None
    parts: dict[str, PartNumbers | None] = {}
    shared_novel_hm: Means | None = None
    novel_called_shared: Counted | None = None
    references: dict[str, Reference | None] = {}


class SharedAndNovel(_Part):
    """Which classes of the target the source has too: by which rule, the hash of the split, and how many classes are
    in each part (None where that is not known)."""

    rule: str
    sha256: str
    classes: dict[str, int | None]

    def __str__(self) -> str:
        """'exact rule: 163 shared, 137 novel; sha256 …'."""
        known = [f"{count} {part}" for part, count in self.classes.items() if count is not None]
        return f"{self.rule} rule: {', '.join(known)}; sha256 {self.sha256}"


class Metrics(_Part):
    """One evaluation. A label whose head was not trained is not in ``labels``. ``outdated`` is not in the file:
    what has changed since, in words."""

    run: Run
    source: Annotated[DatasetSplit, BeforeValidator(lambda found: _NOT_SAID if found is None else found)]
    target: DatasetSplit
    within: bool
    protocol: dict[str, Any]
    random_weights: list[str]
    pretrained_on: dict[str, str] = {}
    mixed: list[Mixed]
    xmic_vector: str = "own"
    vocabulary: dict[Label, SharedAndNovel] = {}
    hand_fallback_rate: float | None
    labels: dict[Label, Numbers]
    actions: Actions | None = None
    epic: dict[str, dict[str, EpicNumbers]] | None = None
    clips_file: ClipsFile | None = None
    failures: dict[str, dict[str, int]]
    versions: dict[str, str]
    commands: list[str]
    outdated: str = ""

    @property
    def name(self) -> str:
        """The run, and of a control what replaces its X-MIC vectors."""
        return folder_name(self.run.name, self.xmic_vector)

    @property
    def chosen(self) -> str:
        """'noun epoch 12, learning rate 0.001; verb epoch 15', nothing where that is not known."""
        known = {label: numbers for label, numbers in self.labels.items() if numbers.selected_epoch is not None}
        return "; ".join(
            f"{label} epoch {numbers.selected_epoch}" + (f", learning rate {numbers.lr:g}" if numbers.lr else "")
            for label, numbers in known.items()
        )

    @property
    def labelled(self) -> bool:
        """Whether the split has labels at all."""
        return any(numbers.n_official for numbers in self.labels.values())

    @property
    def complete(self) -> bool:
        """Nothing failed in any stage and every labelled clip is in the numbers."""
        partial = any(numbers.n_evaluated < numbers.n_official for numbers in self.labels.values())
        return not partial and not any(self.failures.values())


def read_metrics(file: Path) -> Metrics:
    """Read a metrics file.

    Raises:
        InputError: it is not JSON, of another schema, or a value is missing or of the wrong kind.
    """
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}). Run xmic evaluate again.") from None
    schema = stored.get("schema") if isinstance(stored, dict) else None
    if schema != SCHEMA:
        raise InputError(f"{file}: schema {schema!r}, this xmic reads schema {SCHEMA}. Run xmic evaluate again.")
    try:
        return Metrics.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{file}: {where}: {first['msg']}. Run xmic evaluate again.") from None
