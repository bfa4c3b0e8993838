"""Read and validate ``xmic.toml``, the whole chain in one file.

It is validated before anything runs. Its tables hold the options of the commands, in the same dataclasses: a key is the
option of the same name, with ``_`` for ``-``. The annotation of a key without an option, or of an option without a key,
says so and why (:class:`FileOnly`, :class:`CommandOnly`). A table of keys and values is an option KEY=VALUE that may be
repeated.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic_core import PydanticCustomError

from data_manifests.errors import InputError, UsageError
from data_manifests.remote.path import is_remote, refuse_remote_workspace
from pipelines.chain.readers import READERS
from pipelines.decode.options import DecodeOptions
from pipelines.embed.options import EmbedOptions
from pipelines.engine.options import CommandOnly, Doc, FileOnly, OptionError, Options, OptionsError, options_of
from pipelines.engine.run_policy import parse_max_failures
from pipelines.evaluate.options import EvaluateOptions
from pipelines.hands.options import HandsOptions
from pipelines.methods.recipe import Recipe
from pipelines.methods.setting_names import setting_meant
from pipelines.prepare.options import (
    Ego4dOptions,
    EgteaOptions,
    EpicOptions,
    OwnOptions,
    TableOptions,
)
from pipelines.report.options import ReportOptions
from pipelines.train.options import TrainOptions


def _own_reader(name: str) -> str:
    if not re.fullmatch(r"[\w.]+:\w+", name):
        expected = f"{', '.join(READERS)} or package.module:Class"
        raise PydanticCustomError("reader", "expected {expected}", {"expected": expected})
    return name


def _off_or_table(value: Any) -> str:
    return "off" if value is False else "table"


Hands = Annotated[
    Annotated[HandsOptions, Tag("table")] | Annotated[Literal[False], Tag("off")], Discriminator(_off_or_table)
]
"""Options of the hands, or False where none are looked for."""


@dataclass(frozen=True, kw_only=True)
class _OfFile(Options):
    """Keys of a ``[[dataset]]`` besides the options of its reader."""

    reader: Annotated[str, FileOnly("on the command line it is the command"), Doc("Name of the reader.")]
    hands: Annotated[
        Hands | None,
        FileOnly("xmic detect-hands takes the dataset"),
        Doc("Replaces [hands] for this dataset; false looks for no hands."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TableSection(_OfFile, TableOptions):
    """Keys of a ``[[dataset]]`` with ``reader = "table"``."""


@dataclass(frozen=True, kw_only=True)
class EpicSection(_OfFile, EpicOptions):
    """Keys of a ``[[dataset]]`` with ``reader = "epic"``."""


@dataclass(frozen=True, kw_only=True)
class Ego4dSection(_OfFile, Ego4dOptions):
    """Keys of a ``[[dataset]]`` with ``reader = "ego4d"``."""


@dataclass(frozen=True, kw_only=True)
class EgteaSection(_OfFile, EgteaOptions):
    """Keys of a ``[[dataset]]`` with ``reader = "egtea"``."""


@dataclass(frozen=True, kw_only=True)
class OwnSection(_OfFile, OwnOptions):
    """Keys of a ``[[dataset]]`` with ``reader = "package.module:Class"``."""

    reader: Annotated[str, AfterValidator(_own_reader), FileOnly("it is --reader"), Doc("Your reader.")]


DatasetSection = TableSection | EpicSection | Ego4dSection | EgteaSection | OwnSection
_OWN = "own"
DATASETS: dict[str, type] = {
    "table": TableSection,
    "epic": EpicSection,
    "ego4d": Ego4dSection,
    "egtea": EgteaSection,
    _OWN: OwnSection,
}
"""Reader → dataclass of its ``[[dataset]]``."""

TABLES: dict[str, type] = {
    "decode": DecodeOptions,
    "hands": HandsOptions,
    "embed": EmbedOptions,
    "train": TrainOptions,
    "evaluate": EvaluateOptions,
    "report": ReportOptions,
}
"""Name of each other table of the file → its dataclass."""

OLD_KEYS = {"splits": "split", "patterns": "pattern", "columns": "column"}
"""Former name of a key of ``[[dataset]]`` → name of the option. Former names are still read."""


def _reader_in(table: Any) -> str:
    reader = table.get("reader") if isinstance(table, Mapping) else getattr(table, "reader", None)
    return reader if reader in READERS else _OWN


def _max_failures(text: str) -> str:
    try:
        parse_max_failures(text)
    except UsageError as error:
        raise OptionsError(str(error)) from None
    return text


def _names_reader(table: Mapping[str, Any]) -> bool:
    return _reader_in(table) != _OWN or ":" in str(table.get("reader"))


class Config(BaseModel):
    """Content of an ``xmic.toml``.

    Relative paths are relative to the folder of the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    workspace: Path = Path("xmic-work")
    max_failures: Annotated[str, AfterValidator(_max_failures)] = "5%"
    dataset: Annotated[
        list[
            Annotated[
                Annotated[TableSection, Tag("table")]
                | Annotated[EpicSection, Tag("epic")]
                | Annotated[Ego4dSection, Tag("ego4d")]
                | Annotated[EgteaSection, Tag("egtea")]
                | Annotated[OwnSection, Tag(_OWN)],
                Discriminator(_reader_in),
            ]
        ],
        Field(min_length=1),
    ]
    decode: DecodeOptions = DecodeOptions()
    hands: Hands = HandsOptions()
    embed: EmbedOptions
    train: list[TrainOptions] = []
    evaluate: EvaluateOptions = EvaluateOptions()
    report: ReportOptions = ReportOptions()

    def hands_of(self, dataset: str) -> HandsOptions | None:
        """Return the hand options of a dataset; None without hands."""
        own = [section.hands for section in self.dataset if section.name == dataset and section.hands is not None]
        return next(iter(own), self.hands) or None


def read_toml(file: Path) -> dict[str, Any]:
    """Read a configuration file.

    Raises:
        InputError: the file is missing, not text in UTF-8 or not TOML.
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
    except (ValueError, RecursionError) as error:  # of numbers of 5,000 digits and lists in lists
        raise InputError(f"{file}: not valid TOML ({error}).") from None


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""Types of pydantic's errors for keys that :func:`_unknown_keys` reports itself."""


def check_config(raw: Mapping[str, Any], file: Path) -> Config:
    """Validate the content of a configuration file.

    Args:
        raw: content of the file, with its lists expanded by :func:`pipelines.chain.grid.read_cells`.
        file: the file, for messages; relative paths become relative to its folder.

    Raises:
        InputError: a key or value is wrong; an unknown key is reported with the nearest known one.
    """
    raw = _with_new_names(raw, file)
    wrong = [f"{file}: {text}" for text in _unknown_keys(raw)]
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        wrong += [f"{file}: {_explain(item)}" for item in error.errors() if item["type"] not in _UNKNOWN]
    if wrong:
        raise InputError("\n".join(wrong))
    return _rooted(config, file.resolve().parent)


def _with_list(table: Any) -> Any:
    """Replace a single ``hand_class`` by a list of it: it took one value formerly."""
    given = table.get("hand_class") if isinstance(table, Mapping) else None
    return {**table, "hand_class": [given]} if isinstance(given, str) else table


def _with_new_names(raw: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """Replace former names and forms of keys by today's.

    Raises:
        InputError: a key is there by both names.
    """
    raw = {name: _with_list(value) if name == "hands" else value for name, value in raw.items()}
    datasets = raw.get("dataset")
    if not isinstance(datasets, list):
        return raw
    for number, table in enumerate(datasets):
        for old, new in OLD_KEYS.items():
            if isinstance(table, Mapping) and old in table and new in table:
                raise InputError(f"{file}: dataset.{number}.{old} is another name of {new}; leave one of the two out.")
    renamed = [
        {OLD_KEYS.get(name, name): _with_list(value) if name == "hands" else value for name, value in table.items()}
        if isinstance(table, Mapping)
        else table
        for table in datasets
    ]
    return {**raw, "dataset": renamed}


def _explain(error: Any) -> str:
    place = [str(part) for part in error["loc"]]
    if place[0] == "dataset" and len(place) > 2:
        del place[2]  # the reader, by which pydantic chose the class
    if "hands" in place[:-1]:
        del place[place.index("hands") + 1]  # the tag of a table, by which it chose HandsOptions
    problem = error.get("ctx", {}).get("error")
    if isinstance(problem, OptionError):
        return f"{'.'.join((*place, problem.option))}: expected {problem.expected}; found {problem.found!r}."
    if isinstance(problem, OptionsError):
        return f"{'.'.join(place)}: {problem}"
    if error["type"] == "dataclass_type" and place[-1] == "hands":
        return f"{'.'.join(place)}: expected a table, or false for no hands; found {error['input']!r}."
    if error["type"] == "missing":
        return f"{'.'.join(place)} is missing."
    return f"{'.'.join(place)}: {error['msg']}; found {error['input']!r}."


def _unknown_keys(raw: Mapping[str, Any]) -> Iterator[str]:
    """Describe each key that its table does not take."""
    for place, table, known, barred in _tables(raw):
        for name in (name for name in table if name not in known):
            key = ".".join((*place, name))
            if name in barred:
                yield f"{key}: an option of the command line only, because {barred[name]}."
                continue
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; the nearest known key is {nearest[0]}" if nearest else ""
            setting = setting_meant(name, Recipe.__dataclass_fields__) if place[:1] == ("train",) else None
            if setting is not None:
                hint = f"; it is a setting of the method: set = {{ {setting} = … }}"
            yield f"unknown key {key}{hint}. Known: {', '.join(known)}."


def _tables(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any], list[str], dict[str, str]]]:
    """Yield each table of the file.

    Yields:
        Place of the table, the table, its known keys, and the options that are no keys of it.
    """
    yield (), raw, list(Config.model_fields), {}
    for name in ("dataset", *TABLES):
        found = raw.get(name)
        for place, table in (
            (((name, str(number)), item) for number, item in enumerate(found))
            if isinstance(found, list)
            else [((name,), found)]
        ):
            if not isinstance(table, Mapping) or (name == "dataset" and not _names_reader(table)):
                continue  # a value that is no table, or a table of no reader, is refused by pydantic
            kind = DATASETS[_reader_in(table)] if name == "dataset" else TABLES[name]
            yield place, table, keys_of(kind), barred_keys(kind)
            if name == "dataset" and isinstance(table.get("hands"), Mapping):
                yield (*place, "hands"), table["hands"], keys_of(HandsOptions), barred_keys(HandsOptions)


def keys_of(kind: type) -> list[str]:
    """List the keys of a dataclass's table."""
    return [option.name for option in options_of(kind) if not option.mark(CommandOnly)]


def barred_keys(kind: type) -> dict[str, str]:
    """Collect the options of a command that are no keys.

    Returns:
        Name of the option → reason why it is no key of its table.
    """
    return {option.name: mark.why for option in options_of(kind) if (mark := option.mark(CommandOnly))}


def _rooted(config: Config, base: Path) -> Config:
    """Make relative paths relative to ``base``, not to the current folder."""
    refuse_remote_workspace(config.workspace)
    hands = _at(config.hands, base) if config.hands else config.hands
    embed = replace(config.embed, encoder=_spec_at(config.embed.encoder, base), v2=_spec_at(config.embed.v2, base))
    datasets = [_at(section, base) for section in config.dataset]
    return config.model_copy(
        update={"workspace": base / config.workspace, "dataset": datasets, "hands": hands, "embed": embed}
    )


def _at(options: Any, base: Path) -> Any:
    changed: dict[str, Any] = {}
    for option in options_of(type(options)):
        value = getattr(options, option.name)
        if isinstance(value, Options):
            changed[option.name] = _at(value, base)
        elif option.kind is Path and option.several:
            changed[option.name] = tuple(path if is_remote(path) else base / path for path in value)
        elif option.kind is Path and value is not None and not is_remote(value):
            changed[option.name] = base / value
    if isinstance(options, TableOptions):
        changed["files"] = tuple(_file_at(item, base) for item in options.files)
    return replace(options, **changed)


def _file_at(item: str, base: Path) -> str:
    split, equals, file = item.partition("=")
    if is_remote(file if equals else item) or is_remote(item):
        return item
    return f"{split}={base / file}" if equals else str(base / item)


def _spec_at(spec: Any, base: Path) -> Any:
    """Make the file and model configuration of a spec relative to ``base``."""
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
