"""Write and read ``card.json``, one result to compare elsewhere.

It holds the protocol, the numbers and their intervals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_manifests.errors import InputError
from data_manifests.json_files import json_object
from data_manifests.schema import LABELS, Label
from pipelines.engine.atomic import replace_atomically, write_if_changed
from pipelines.engine.clips import Clips
from pipelines.engine.digest import digest_json, whole_file_sha256
from pipelines.engine.sealed import is_changed, sealed
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.intervals import Kind
from pipelines.evaluate.metrics_file import Actions, Counted, Counts, DatasetSplit, Metrics, Numbers, Spread
from pipelines.prepare.classes import read_classes
from pipelines.prepare.vocabulary import vocabulary_of

KIND = "xmic result card"
SCHEMA = 1
CARD = "card.json"

METRIC_VERSIONS = {"accuracy": 1, "actions": 1, "parts": 2, "interval": 2}
"""Raised when the same scores give other numbers than before: then old and new cards are not compared."""

LABEL_SPACE = "all classes of the target compete"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Clipped(_Part):
    """Number and digest of the clips or classes of a protocol.

    The digest of clips is over ids, recordings and classes, that of classes over their names.
    """

    count: int
    sha256: str


class CardProtocol(_Part):
    """Protocol of a result; results with equal protocols are comparable.

    ``vocabulary`` maps a label to the hash of shared and novel classes, where there is one.
    """

    dataset: str
    split: str
    clips: Clipped
    classes: dict[Label, Clipped]
    label_space: str
    vocabulary: dict[Label, str]
    metrics: dict[str, int]


class Model(_Part):
    """Model that a result is of.

    A field is None where a file of scores does not give it.
    """

    name: str
    method: str
    preset: str | None
    seed: int | None
    key: str | None
    recipe: str | None


class Number(_Part):
    """One number in percent, with its 95 % interval and clips.

    ``interval`` is over recordings, None where there is none; ``interval_kind`` says how it was found, None in cards of
    xmic 0.1.0. ``few`` marks too few recordings or clips for it.
    """

    value: Annotated[float, Field(ge=0, le=100)]
    interval: tuple[float, float] | None
    interval_kind: Kind | None = None
    few: bool
    n_evaluated: int
    n_official: int


class Predicted(_Part):
    """Digests of predictions.parquet and of the given files.

    ``given`` has the sha256 of each file that was given to ``xmic score``.
    """

    sha256: str
    given: dict[str, str]


class ResultCard(_Part):
    """One result with its protocol, numbers and warnings.

    Attributes:
        source: dataset and split that was trained on; None where it was not given.
        coverage: 'noun', 'verb', 'action' → (evaluated clips, clips that should be evaluated).
        numbers: 'noun top1', 'action top1', 'noun novel' (all classes compete), 'noun novel restricted', … → number.
        warnings: what a reader must know: random weights, mixed artifacts, pretraining, an epoch chosen by the target.
        sha256: digest of all else, as :func:`pipelines.engine.sealed.sealed` computes it; None in cards of xmic 0.1.0.
    """

    kind: str
    schema_version: int
    protocol_sha256: str
    protocol: CardProtocol
    model: Model
    source: DatasetSplit | None
    coverage: dict[str, tuple[int, int]]
    numbers: dict[str, Number]
    warnings: list[str]
    predictions: Predicted
    versions: dict[str, str]
    sha256: str | None = None

    @property
    def partial(self) -> bool:
        """Return whether clips of the split are missing from the numbers."""
        return any(evaluated < official for evaluated, official in self.coverage.values())


def write_card(workspace: Workspace, folder: Path, metrics: Metrics, clips: Clips) -> Path:
    """Write ``card.json`` beside an evaluation's predictions.

    Args:
        workspace: where the target is prepared.
        folder: of the evaluation.
        metrics: of the same evaluation.
        clips: the clips to evaluate.
    """
    protocol = _protocol(workspace, metrics, clips)
    run = metrics.run
    card = ResultCard(
        kind=KIND,
        schema_version=SCHEMA,
        protocol_sha256=digest_json(protocol.model_dump(mode="json")),
        protocol=protocol,
        model=Model(
            name=metrics.name, method=run.method, preset=run.preset, seed=run.seed, key=run.key, recipe=run.recipe
        ),
        source=metrics.source,
        coverage={name: (whole.n_evaluated, whole.n_official) for name, whole in _wholes(metrics)},
        numbers=dict(_numbers(metrics)),
        warnings=list(_warnings(metrics)),
        predictions=Predicted(
            sha256=whole_file_sha256(folder / "predictions.parquet"),
            given=metrics.given_files,
        ),
        versions=metrics.versions,
    )
    plain = sealed(card.model_dump(mode="json"))
    text = json.dumps(plain, indent=2, sort_keys=True, allow_nan=False)
    write_if_changed(folder / CARD, text + "\n")
    return folder / CARD


def intervals_of(metrics: Metrics) -> dict[str, Spread]:
    """Compute the intervals of all numbers, by their names in the card."""
    return {
        name: Spread(low=number.interval[0], high=number.interval[1], kind=number.interval_kind)
        for name, number in _numbers(metrics)
        if number.interval and number.interval_kind
    }


def copy_card(card: Path, folder: Path) -> Path:
    """Copy a card into a folder of many cards.

    The copy is ``<model>--<dataset>-<split>.card.json``; an earlier copy is replaced.

    Args:
        card: ``card.json`` of an evaluation.
        folder: made when it is not there.
    """
    target = folder / f"{card.parent.parent.name}--{card.parent.name}.{CARD}"
    with replace_atomically(target) as temporary:
        temporary.write_bytes(card.read_bytes())
    return target


def read_card(file: Path) -> ResultCard:
    """Read a card and check its protocol against its hash.

    Raises:
        InputError: the file is not JSON, is no result card or of another schema, or was changed.
    """
    stored = json_object(file)
    if stored.get("kind") != KIND:
        raise InputError(f"{file}: found kind {stored.get('kind')!r}; expected {KIND!r}: it is no card of xmic.")
    if stored.get("schema_version") != SCHEMA:
        raise InputError(f"{file}: schema {stored.get('schema_version')!r}, this xmic reads schema {SCHEMA}.")
    try:
        card = ResultCard.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{file}: {where}: {first['msg']}. Score or evaluate again.") from None
    if digest_json(stored["protocol"]) != card.protocol_sha256:
        raise InputError(
            f"{file}: its protocol is not that of its hash {card.protocol_sha256[:12]}; it was changed by hand."
        )
    if is_changed(stored):
        raise InputError(
            f"{file}: its content is not what was written; it was changed or damaged. Score or evaluate again."
        )
    return card


def _protocol(workspace: Workspace, metrics: Metrics, clips: Clips) -> CardProtocol:
    dataset = metrics.target.dataset
    truth = [clips.labels[label].tolist() for label in LABELS]
    identity = sorted(zip(clips.clip_ids, clips.recordings, *truth, clips.nouns, strict=True))
    names: dict[Label, list[str]] = {
        label: read_classes(workspace, dataset, label).column("name").to_pylist() for label in LABELS
    }
    return CardProtocol(
        dataset=dataset,
        split=metrics.target.split,
        clips=Clipped(count=len(clips.clip_ids), sha256=digest_json(identity)),
        classes={label: Clipped(count=len(of), sha256=digest_json(of)) for label, of in names.items()},
        label_space=LABEL_SPACE,
        vocabulary=_vocabulary(workspace, metrics),
        metrics=METRIC_VERSIONS,
    )


def _vocabulary(workspace: Workspace, metrics: Metrics) -> dict[Label, str]:
    # Of both labels, also where one is scored, so that its result stands beside those of both.
    if not metrics.vocabulary:
        return {}
    source, target = metrics.trained_on.dataset, metrics.target.dataset
    return {label: vocabulary_of(workspace, source, target, label).sha256 for label in LABELS}


def _wholes(metrics: Metrics) -> list[tuple[str, Numbers | Actions]]:
    """Return 'noun', 'verb' and 'action', as far as they were scored."""
    actions = [("action", metrics.actions)] if metrics.actions else []
    return [*metrics.labels.items(), *actions]


def _numbers(metrics: Metrics) -> Iterator[tuple[str, Number]]:
    for name, numbers in metrics.labels.items():
        yield from _accuracies(metrics, name, numbers, class_mean=numbers.class_mean)
        yield from _counted(metrics, f"{name} any_noun", numbers.any_noun)
        for part, found in numbers.parts.items():
            if found:
                yield from _counted(metrics, f"{name} {part}", found.unrestricted, numbers)
                yield from _counted(metrics, f"{name} {part} restricted", found.restricted, numbers)
        means = numbers.shared_novel_hm
        if means and means.unrestricted is not None:
            yield f"{name} shared_novel_hm", _number(means.unrestricted, numbers)
        if means and means.restricted is not None:
            yield f"{name} shared_novel_hm restricted", _number(means.restricted, numbers)
    if metrics.actions:
        yield from _accuracies(metrics, "action", metrics.actions)
        yield from _counted(metrics, "action seen", metrics.actions.seen)
        yield from _counted(metrics, "action unseen", metrics.actions.unseen)
    for part, of_labels in (metrics.epic or {}).items():
        for label, counted in of_labels.items():
            if part != "overall":
                yield from _counted(metrics, f"{label} {part}", counted)


def _accuracies(
    metrics: Metrics, name: str, numbers: Numbers | Actions, class_mean: float | None = None
) -> Iterator[tuple[str, Number]]:
    if numbers.top1 is not None:
        yield f"{name} top1", _number(numbers.top1, numbers, metrics)
    for what, value in (("top5", numbers.top5), ("class_mean", class_mean)):
        if value is not None:
            yield f"{name} {what}", _number(value, numbers)


def _counted(
    metrics: Metrics, name: str, counted: Counted | None, whole: Counts | None = None
) -> Iterator[tuple[str, Number]]:
    if counted and counted.percent is not None:
        yield name, _number(counted.percent, counted, metrics, whole)


def _number(value: float, counts: Counts, drawn: Metrics | None = None, whole: Counts | None = None) -> Number:
    """Make a number with its clips.

    It has its interval where ``drawn`` is the evaluation whose recordings are drawn. Those are the recordings of
    ``whole`` for a number on some of its classes.
    """
    return Number(
        value=value,
        interval=drawn.interval(counts, whole) if drawn else None,
        interval_kind=counts.interval_kind if drawn else None,
        few=drawn is not None and counts.few,
        n_evaluated=counts.n_evaluated,
        n_official=counts.n_official,
    )


def _warnings(metrics: Metrics) -> Iterator[str]:
    for weights in metrics.random_weights:
        yield f"random weights: {weights}"
    for item in metrics.mixed:
        yield f"mixed: {item.what}"
    for encoder, dataset in metrics.pretrained_on.items():
        yield f"{encoder} was pretrained on {dataset}"
    if metrics.run.leaking:
        yield f"leaking: the epoch was chosen by labelled clips of {metrics.run.select_target}"
