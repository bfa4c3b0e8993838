"""Read and check the configuration of a trained head.

The file may come from somebody else. Its names become folders of the user's workspace, and its classes would be
imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from data_manifests.errors import InputError
from pipelines.embed.encoders import names_own_class
from pipelines.engine.folder_names import EXPECTED, is_folder_name
from pipelines.methods import METHODS
from pipelines.train.finished import SUMMARY, what_is_changed
from pipelines.train.protocol import Protocol


def _folder_name(value: str) -> str:
    if not is_folder_name(value):
        raise ValueError(f"expected {EXPECTED}")
    return value


def _stream_folder(value: str) -> str:
    if value.count("/") != 1 or not all(map(is_folder_name, value.split("/"))):
        raise ValueError("expected ENCODER/STREAM, each a name that can be a folder")
    return value


Name = Annotated[str, AfterValidator(_folder_name)]


class _Part(BaseModel):
    # Other keys are kept: older and newer versions of xmic write some more.
    model_config = ConfigDict(strict=True, extra="allow")


class _Source(_Part):
    dataset: Name
    split: Literal["train", "val", "test"]


class _Vectors(_Part):
    spec: str
    crop: str | None = None
    detector: Name | None = None
    encoder: Name | None = None
    stream: str | None = None


class _Protocol(_Part):
    model_config = ConfigDict(strict=True, extra="forbid")

    encoder: Name
    v2: Name
    streams: Literal["full", "hand", "both"] | None
    classify: Literal["full", "hand", "clip"]
    hands: Name | None
    segments: Annotated[int, Ge(1), Le(4096)]
    short_side: Annotated[int, Ge(0)]
    quality: Annotated[int, Ge(1), Le(100)]
    prompt: str
    names: str = "official"
    vectors: dict[Annotated[str, AfterValidator(_stream_folder)], _Vectors]


class _Recipe(_Part):
    name: str
    epochs: int


class _ChosenOn(_Part):
    dataset: Name
    split: str


class _Selection(_Part):
    select: str
    source_val: float | None
    target: _ChosenOn | None
    leaking: bool


class _RunConfig(_Part):
    key: str
    method: str
    method_config: dict[str, Any]
    name: Name
    preset: str
    protocol: _Protocol
    seed: Annotated[int, Ge(-(2**63)), Le(2**63 - 1)]
    source: _Source
    versions: dict[str, str]
    recipe: _Recipe | None = None
    selection: _Selection | None = None


class _Summary(_Part):
    clips: int
    labelled: int
    classes: int
    parameters: int
    selected_epoch: int | None = None
    lr: float | None = None


def read_summary(head: Path) -> dict[str, Any]:
    """Read the summary of a finished head.

    Raises:
        InputError: the file is damaged.
    """
    file = head / SUMMARY
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        _Summary.model_validate(summary)
    except (OSError, ValueError, RecursionError) as error:
        problem = _first(error) if isinstance(error, ValidationError) else str(error)
        raise InputError(
            f"{file}: not the summary of a trained head ({problem}). Put the file back as it was, or remove {file} and "
            "run the same xmic train command again."
        ) from None
    return dict(summary)


def read_config(file: Path, *, own_code: bool) -> dict[str, Any]:
    """Read the configuration of a trained head.

    Args:
        file: its ``config.json``.
        own_code: accept a method or encoder that is named as ``package.module:Class``.

    Raises:
        InputError: the file is missing or damaged, a name in it leads to another folder, or it names a class that is
            not accepted.
    """
    config: Any = {}
    try:
        if not file.is_file():  # a pipe would be waited for
            raise FileNotFoundError("there is no such file")
        config = json.loads(file.read_text(encoding="utf-8"))
        problem = _problem(config)
    except (OSError, ValueError, RecursionError) as error:
        problem = str(error)
    if problem:
        raise InputError(
            f"{file}: not the configuration of a trained head ({problem}). Put the file back as it was, or remove "
            f"{file.parents[1]} and run the same xmic train command again."
        )
    if not own_code:
        refuse_own_code(config, file)
    return dict(config)


def _problem(config: Any) -> str | None:
    if not isinstance(config, dict):
        return f"found {type(config).__name__}, expected an object"
    lacking = [name for name, field in _RunConfig.model_fields.items() if field.is_required() and name not in config]
    if lacking:
        return f"without {', '.join(sorted(lacking))}"
    try:
        _RunConfig.model_validate(config)
    except ValidationError as error:
        return _first(error)
    protocol = Protocol(**config["protocol"])
    missing = {"/".join(place) for place in protocol.needed.values()} - set(protocol.vectors)
    if missing:
        return f"protocol.vectors is without {', '.join(sorted(missing))}"
    hands = (made for made in protocol.vectors.values() if made.get("stream") == "hand")
    if any(made.get("crop") is None or made.get("detector") is None for made in hands):
        return "a hand stream of protocol.vectors is without crop or detector"
    return what_is_changed(config)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}, found {first['input']!r:.60}"


def refuse_own_code(config: Mapping[str, Any], file: Path) -> None:
    """Refuse a configuration that names a class of its own.

    Raises:
        InputError: the method or an encoder is no built-in one.
    """
    specs = [made["spec"] for made in config["protocol"]["vectors"].values()]
    own = [config["method"]] if config["method"] not in METHODS else []
    for name in [*own, *(spec for spec in specs if names_own_class(spec))]:
        refuse_class(name, str(file))


def refuse_class(name: str, place: str) -> None:
    """Refuse a class that a run from outside the workspace names.

    Args:
        name: ``package.module:Class``.
        place: the file that names it.

    Raises:
        InputError: always; says how to allow it.
    """
    raise InputError(
        f"{place}: names {name!r}, which is not part of xmic: using it would import that code. This run is from "
        "outside the workspace. Expected a built-in method, encoder and detector. If you trust whoever made the run, "
        "install the code and pass --trust."
    )
