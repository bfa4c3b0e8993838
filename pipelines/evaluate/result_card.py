"""``card.json``: one result that can be compared elsewhere: by which protocol, over how many clips, how sure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_manifests.errors import InputError
from data_manifests.json_files import json_object
from data_manifests.schema import LABELS, Label
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.clips import Clips
from pipelines.engine.digest import digest_json, whole_file_sha256
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.folders import folder_name
from pipelines.evaluate.intervals import interval, resampled, too_few
from pipelines.prepare.classes import read_classes
from pipelines.prepare.vocabulary import vocabulary_of

KIND = "xmic result card"
SCHEMA = 1
CARD = "card.json"

METRIC_VERSIONS = {"accuracy": 1, "actions": 1, "parts": 1, "interval": 1}
"""Raised when the same scores give other numbers than before: then old and new cards are not compared."""

LABEL_SPACE = "all classes of the target compete"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Clipped(_Part):
    """The clips that there are to evaluate: how many, and the digest of ids, classes and recordings."""

    count: int
    sha256: str


class Protocol(_Part):
    """What makes two results comparable; ``vocabulary`` is the hash of shared and novel classes, where there is one."""

    dataset: str
    split: str
    clips: Clipped
    classes: dict[Label, Clipped]
    label_space: str
    vocabulary: dict[Label, str]
    metrics: dict[str, int]


class Model(_Part):
    """Whose result it is; what a file of scores does not say is None."""

    name: str
    method: str
    preset: str | None
    seed: int | None
    key: str | None
    recipe: str | None


class Trained(_Part):
    """What was trained on."""

    dataset: str
    split: str


class Number(_Part):
    """Percent, its 95 % interval over recordings where it has one, and its clips; ``few`` recordings or clips."""

    value: Annotated[float, Field(ge=0, le=100)]
    interval: tuple[float, float] | None
    few: bool
    n_evaluated: int
    n_official: int


class Predicted(_Part):
    """The sha256 of predictions.parquet, and of each file that was given to ``xmic score``."""

    sha256: str
    given: dict[str, str]


class ResultCard(_Part):
    """One result.

    Attributes:
        source: dataset and split that was trained on; None where that is not said.
        numbers: 'noun top1', 'action top1', 'noun novel' (all classes compete), 'noun novel restricted', … → number.
        warnings: what a reader must know: random weights, mixed artifacts, pretraining, an epoch chosen by the target.
    """

    kind: str
    schema_version: int
    protocol_sha256: str
    protocol: Protocol
    model: Model
    source: Trained | None
    coverage: dict[str, tuple[int, int]]
    numbers: dict[str, Number]
    warnings: list[str]
    predictions: Predicted
    versions: dict[str, str]

    @property
    def partial(self) -> bool:
        """Whether clips of the split are not in the numbers."""
        return any(evaluated < official for evaluated, official in self.coverage.values())


def write_card(workspace: Workspace, folder: Path, metrics: Mapping[str, Any], clips: Clips) -> Path:
    """Write ``card.json`` beside an evaluation's predictions.

    Args:
        workspace: where the target is prepared.
        folder: of the evaluation.
        metrics: what its metrics.json says.
        clips: those there are to evaluate.
    """
    protocol = _protocol(workspace, metrics, clips)
    run = metrics["run"]
    card = {
        "kind": KIND,
        "schema_version": SCHEMA,
        "protocol_sha256": digest_json(protocol),
        "protocol": protocol,
        "model": {
            **{name: run[name] for name in ("method", "preset", "seed", "key", "recipe")},
            "name": folder_name(run["name"], metrics["xmic_vector"]),
        },
        "source": metrics["source"],
        "coverage": {name: [of["n_evaluated"], of["n_official"]] for name, of in _wholes(metrics).items()},
        "numbers": dict(_numbers(metrics)),
        "warnings": list(_warnings(metrics)),
        "predictions": {
            "sha256": whole_file_sha256(folder / "predictions.parquet"),
            "given": metrics.get("given_files", {}),
        },
        "versions": metrics["versions"],
    }
    with replace_atomically(folder / CARD) as temporary:
        temporary.write_text(json.dumps(card, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    return folder / CARD


def copy_card(card: Path, folder: Path) -> Path:
    """Copy a card into a folder of many, ``<model>--<dataset>-<split>.card.json``; a former one is replaced.

    Args:
        card: ``card.json`` of an evaluation.
        folder: made when it is not there.
    """
    target = folder / f"{card.parent.parent.name}--{card.parent.name}.{CARD}"
    with replace_atomically(target) as temporary:
        temporary.write_bytes(card.read_bytes())
    return target


def read_card(file: Path) -> ResultCard:
    """Read a card and check that its protocol is what its hash says.

    Raises:
        InputError: it is not JSON, no result card, of another schema, or was changed.
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
    return card


def _protocol(workspace: Workspace, metrics: Mapping[str, Any], clips: Clips) -> dict[str, Any]:
    dataset = metrics["target"]["dataset"]
    truth = [clips.labels[label].tolist() for label in LABELS]
    identity = sorted(zip(clips.clip_ids, clips.recordings, *truth, clips.nouns, strict=True))
    names = {label: read_classes(workspace, dataset, label).column("name").to_pylist() for label in LABELS}
    return {
        **metrics["target"],
        "clips": {"count": len(clips.clip_ids), "sha256": digest_json(identity)},
        "classes": {label: {"count": len(of), "sha256": digest_json(of)} for label, of in names.items()},
        "label_space": LABEL_SPACE,
        "vocabulary": _vocabulary(workspace, metrics),
        "metrics": METRIC_VERSIONS,
    }


def _vocabulary(workspace: Workspace, metrics: Mapping[str, Any]) -> dict[str, str]:
    # Of both labels, also where one is scored, so that its result stands beside those of both.
    if not metrics["vocabulary"]:
        return {}
    source, target = metrics["source"]["dataset"], metrics["target"]["dataset"]
    return {label: vocabulary_of(workspace, source, target, label).sha256 for label in LABELS}


def _wholes(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """'noun', 'verb' and 'action', as far as they were scored."""
    actions = {"action": metrics["actions"]} if metrics["actions"] else {}
    return {**metrics["labels"], **actions}


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    # A target across datasets takes the draws that it takes in every table.
    seed = 0 if metrics["within"] else 1
    for name, of in _wholes(metrics).items():
        for what in ("top1", "top5", "class_mean"):
            if of.get(what) is not None:
                recordings = of["recordings"] if what == "top1" else {}
                yield f"{name} {what}", _number(of[what], of, recordings, seed)
        for part in ("seen", "unseen", "any_noun"):
            if of.get(part) and of[part]["percent"] is not None:
                yield f"{name} {part}", _counted(of[part], seed)
        for part, found in (of.get("parts") or {}).items():
            for form, suffix in (("unrestricted", ""), ("restricted", " restricted")):
                if found and found[form] and found[form]["percent"] is not None:
                    yield f"{name} {part}{suffix}", _counted(found[form], seed)
        means = of.get("shared_novel_hm") or {}
        for form, suffix in (("unrestricted", ""), ("restricted", " restricted")):
            if means.get(form) is not None:
                yield f"{name} shared_novel_hm{suffix}", _number(means[form], of, {}, seed)
    for part, of_labels in (metrics["epic"] or {}).items():
        for label, found in of_labels.items():
            if part != "overall" and found["percent"] is not None:
                yield f"{label} {part}", _counted(found, seed)


def _counted(found: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return _number(found["percent"], found, found["recordings"], seed)


def _number(value: float, of: Mapping[str, Any], recordings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {
        "value": value,
        "interval": interval(resampled(recordings, seed)),
        "few": bool(recordings) and too_few(recordings),
        "n_evaluated": of["n_evaluated"],
        "n_official": of["n_official"],
    }


def _warnings(metrics: Mapping[str, Any]) -> Iterator[str]:
    for weights in metrics["random_weights"]:
        yield f"random weights: {weights}"
    for item in metrics["mixed"]:
        yield f"mixed: {item['what']}"
    for encoder, dataset in metrics["pretrained_on"].items():
        yield f"{encoder} was pretrained on {dataset}"
    if metrics["run"]["leaking"]:
        yield f"leaking: the epoch was chosen by labelled clips of {metrics['run']['select_target']}"
