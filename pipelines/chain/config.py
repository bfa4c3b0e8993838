"""``xmic.toml``: the whole chain in one file, validated before anything runs."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from data_manifests.errors import InputError, UsageError
from pipelines.evaluate.metrics_file import Vectors
from pipelines.train.policy import SelectionPolicy, parse_percent

READERS = ("table", "epic", "ego4d", "egtea")
"""Readers with a short name; one of your own is named as ``package.module:Class``."""


def _known_reader(name: str) -> str:
    if name not in READERS and not re.fullmatch(r"[\w.]+:\w+", name):
        expected = ", ".join(READERS)
        raise PydanticCustomError("reader", "expected {expected} or package.module:Class", {"expected": expected})
    return name


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HandsSection(_Section):
    """``[hands]``: see ``xmic detect-hands --help``. Without this section no hands are detected.

    A ``[dataset.hands]`` below a ``[[dataset]]`` takes its place for that dataset.
    """

    detector: str = "yolo"
    weights: Path | None = None
    hand_class: str | None = None
    image_size: int | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int = 16
    boxes: Path | None = None
    boxes_tolerance: float = 0.05


class DatasetSection(_Section):
    """One ``[[dataset]]``: what ``xmic prepare`` is told; ``set`` holds the arguments of a reader of your own."""

    name: str
    reader: Annotated[str, AfterValidator(_known_reader)]
    videos: list[Path] = []
    splits: list[str] = []
    limit: int | None = None
    max_failures: str = "50%"
    annotations: Path | None = None
    patterns: list[str] = []
    preset: Literal["official", "paper"] | None = None
    window: float | None = None
    drop_empty_class: bool = False
    files: list[str] = []
    columns: dict[str, str] = {}
    nouns: Path | None = None
    verbs: Path | None = None
    set: dict[str, Any] = {}
    hands: HandsSection | None = None


class DecodeSection(_Section):
    """``[decode]``: see ``xmic decode --help``."""

    segments: int = 16
    candidates: int | None = None
    short_side: int = 256
    quality: int = 95
    video_timeout: float = 120.0


class EmbedSection(_Section):
    """``[embed]``: see ``xmic embed --help``; ``v2`` is a second encoder V_II."""

    encoder: str
    v2: str | None = None
    streams: Literal["full", "hand", "both"] | None = None
    prompt: str = "{}"
    names: Literal["official", "fixed", "synonyms"] = "official"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int = 16
    hand_threshold: float | None = None
    object_threshold: float = 0.01
    crop_margin: float | None = None
    crop_fit: Literal["center", "pad"] = "center"
    allow_random_weights: bool = False
    clip_frames: int | None = None


class TrainSection(_Section):
    """One ``[[train]]``: see ``xmic train --help``; ``set`` holds single settings of the method."""

    method: str = "xmic"
    preset: str = "official"
    dataset: str | None = None
    streams: Literal["full", "hand", "both"] | None = None
    classify: Literal["full", "hand", "clip"] | None = None
    label: Literal["noun", "verb", "both"] = "both"
    seed: int = Field(default=0, ge=0, lt=2**63)
    fixed_frames: bool = False
    recipe: Literal["published", "matched"] = "published"
    source_val: float | str | None = None
    select: Literal["last", "source-val", "target"] = "last"
    target: str | None = None
    checkpoint_minutes: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    set: dict[str, Any] = {}

    @property
    def policy(self) -> SelectionPolicy:
        """Recipe, held-out recordings and which epoch is kept."""
        held_out = None if self.source_val is None else parse_percent(self.source_val)
        return SelectionPolicy(self.recipe, held_out, self.select, self.target)

    @model_validator(mode="after")
    def _check_terms(self) -> TrainSection:
        try:
            self.policy  # noqa: B018
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self


class EvaluateSection(_Section):
    """``[evaluate]``: see ``xmic evaluate --help``."""

    cross: list[str] = []
    split: str | None = None
    allow_mixed: bool = False
    xmic_vector: Vectors = "own"


class ReportSection(_Section):
    """``[report]``."""

    name: str = "report"


class Config(_Section):
    """A whole ``xmic.toml``. Relative paths are relative to the file's folder."""

    workspace: Path = Path("xmic-work")
    max_failures: str = "5%"
    dataset: list[DatasetSection] = Field(min_length=1)
    decode: DecodeSection = DecodeSection()
    hands: HandsSection | None = None
    embed: EmbedSection
    train: list[TrainSection] = []
    evaluate: EvaluateSection = EvaluateSection()
    report: ReportSection = ReportSection()

    def hands_of(self, dataset: str) -> HandsSection | None:
        """How the hands of a dataset are found; None when they are not."""
        own = next((section.hands for section in self.dataset if section.name == dataset and section.hands), None)
        return own or self.hands


def read_toml(file: Path) -> dict[str, Any]:
    """What stands in the file.

    Raises:
        InputError: it is missing, not text in UTF-8 or not TOML.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected the configuration of a chain, xmic.toml.")
    try:
        text = file.read_text(encoding="utf-8-sig")  # editors on Windows write the mark that -sig leaves out
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 without a mark
        raise InputError(f"{file}: not UTF-8; save it as UTF-8.")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: not valid TOML ({error}).") from None


def check_config(raw: Mapping[str, Any], file: Path) -> Config:
    """Validate what stands in a file, lists expanded (:func:`pipelines.chain.grid.read_cells`).

    Args:
        raw: what stands there.
        file: for messages; relative paths become relative to its folder.

    Raises:
        InputError: a key or value is wrong; an unknown key comes with the nearest known one.
    """
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise InputError("\n".join(f"{file}: {_explain(item)}" for item in error.errors())) from None
    return _rooted(config, file.resolve().parent)


def _explain(error: Any) -> str:
    where = [part for part in error["loc"] if isinstance(part, str)]
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        nearest = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.0)
        hint = f"; the nearest known key is {nearest[0]}" if nearest else ""
        return f"unknown key {place}{hint}. Known: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{place} is missing."
    return f"{place}: {error['msg']}; found {error['input']!r}."


def _known_keys(path: list[str]) -> list[str]:
    model: Any = Config
    for name in path:
        annotation = model.model_fields[name].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type)]
        model = next((a for a in (annotation, *arguments) if hasattr(a, "model_fields")), model)
    return list(model.model_fields)


def _rooted(config: Config, base: Path) -> Config:
    def at(path: Path | None) -> Path | None:
        return base / path if path is not None else None

    def hands_at(hands: HandsSection | None) -> HandsSection | None:
        if hands is None:
            return None
        weights = hands.weights if str(hands.weights).startswith("hf:/") else at(hands.weights)
        return hands.model_copy(update={"weights": weights, "boxes": at(hands.boxes)})

    def file_at(item: str) -> str:
        split, equals, file = item.partition("=")
        return f"{split}={base / file}" if equals else str(base / item)

    datasets = [
        d.model_copy(
            update={
                "videos": [base / v for v in d.videos],
                "annotations": at(d.annotations),
                "files": [file_at(f) for f in d.files],
                "nouns": at(d.nouns),
                "verbs": at(d.verbs),
                "hands": hands_at(d.hands),
            }
        )
        for d in config.dataset
    ]
    embed = config.embed.model_copy(
        update={"encoder": _spec_at(config.embed.encoder, base), "v2": _spec_at(config.embed.v2, base)}
    )
    return config.model_copy(
        update={
            "workspace": base / config.workspace,
            "dataset": datasets,
            "hands": hands_at(config.hands),
            "embed": embed,
        }
    )


def _spec_at(spec: str | None, base: Path) -> str | None:
    """A model spec whose file or model configuration is relative, made relative to the config file."""
    if spec is None:
        return None
    family, colon, rest = spec.partition(":")
    model, equals, file = rest.partition("=")
    if equals and not Path(file).is_absolute():
        file = str(base / file)
    json_end = model.find(".json")
    if json_end >= 0 and not Path(model).is_absolute():
        model = str(base / model[: json_end + 5]) + model[json_end + 5 :]
    return f"{family}{colon}{model}{equals}{file}"
