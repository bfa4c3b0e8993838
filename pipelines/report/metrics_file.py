"""``metrics.json`` as an evaluation leaves it, checked when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from data_manifests.errors import InputError
from data_manifests.schema import Label

SCHEMA = 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class Run(_Part):
    """Which run; ``recipe`` and ``epochs`` are None for a method that learns nothing."""

    name: str
    method: str
    preset: str
    seed: int
    key: str
    recipe: str | None
    epochs: int | None


class Place(_Part):
    """A split of a dataset."""

    dataset: str
    split: str

    def __str__(self) -> str:
        """'dataset split'."""
        return f"{self.dataset} {self.split}"


class Mixed(_Part):
    """Something in which the target's artifacts differ from the run's."""

    what: str
    run: Any
    target: Any


class Numbers(_Part):
    """One label: accuracies in percent (None where no clip could be evaluated), clips and classes; of each recording
    how many clips are right at top-1, and how many there are."""

    top1: float | None
    top5: float | None
    class_mean: float | None
    n_evaluated: int
    n_official: int
    classes: int
    classes_present: int
    recordings: dict[str, tuple[int, int]]


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
    """One evaluation. A label whose head was not trained is not in ``labels``."""

    run: Run
    source: Place
    target: Place
    within: bool
    protocol: dict[str, Any]
    random_weights: list[str]
    mixed: list[Mixed]
    vocabulary: dict[Label, SharedAndNovel] = {}
    hand_fallback_rate: float | None
    labels: dict[Label, Numbers]
    failures: dict[str, dict[str, int]]
    versions: dict[str, str]
    commands: list[str]

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
