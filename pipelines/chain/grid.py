"""Expand lists in ``xmic.toml`` into the cells of a grid.

A list where one value is expected is an axis of the grid.
"""

from __future__ import annotations

import itertools
import shlex
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.chain.config import Config, check_config, read_toml
from pipelines.engine.options import CommandOnly, Pairs, options_of
from pipelines.train.options import TrainOptions

_EMBED_AXES = ("encoder", "v2", "prompt", "names")


@dataclass(frozen=True)
class Cell:
    """One combination of a grid's values.

    Attributes:
        number: number of the cell from 0, in the order of the file, the last list changing fastest.
        section: number of its ``[[train]]`` from 0; None in a file without one.
        varies: name of each list in the file → its value in this cell.
        config: configuration of this cell: every value single, at most one ``[[train]]``.
    """

    number: int
    section: int | None
    varies: Mapping[str, Any]
    config: Config


def read_cells(file: Path) -> list[Cell]:
    """Read a configuration and expand its lists.

    A list in ``[embed]`` (encoder, v2, prompt, names), in a ``[[train]]`` or in its ``set`` is an axis; each
    ``[[train]]`` has the product of its own axes and those of ``[embed]``. A setting that takes several values itself
    (betas) is an axis only as a list of lists.

    Raises:
        InputError: the file is missing or not TOML, a key or value is wrong, or a list is empty.
        UsageError: there is no such method.
    """
    raw = read_toml(file)
    embeds = list(_embeds(raw, file))
    sections = [list(_trainings(section, f"train.{place}", file)) for place, section in enumerate(_sections(raw))]
    first = {**raw, **({"train": [section[0][1] for section in sections]} if sections else {})}
    cells: list[Cell] = []
    for varied, embed in embeds:
        if embed is not None:
            first = {**first, "embed": embed}
        if not sections:
            cells.append(Cell(len(cells), None, varied, check_config(first, file)))
        for place, section in enumerate(sections):
            for varied_too, training in section:
                # All sections are kept while it is checked, so that a message counts them as the file does.
                whole = check_config(_with(first, place, training), file)
                config = whole.model_copy(update={"train": [whole.train[place]]})
                cells.append(Cell(len(cells), place, {**varied, **varied_too}, config))
    return cells


def choose_cell(cells: Sequence[Cell], number: int, file: Path) -> Cell:
    """Return the cell of a number.

    Raises:
        InputError: there is no cell of this number.
    """
    if number >= len(cells):
        raise InputError(
            f"{file}: --cell {number}, but its cells are 0 to {len(cells) - 1}. "
            f"See xmic run {shlex.quote(str(file))} --list-cells."
        )
    return cells[number]


def _embeds(raw: Mapping[str, Any], file: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    embed = raw.get("embed")
    if not isinstance(embed, dict):  # not a table: check_config reports it
        yield {}, None
        return
    axes = {name: value for name, value in embed.items() if name in _EMBED_AXES and isinstance(value, list)}
    for chosen in _product(axes, "embed", file):
        yield {f"embed.{name}": value for name, value in chosen.items()}, {**embed, **chosen}


def _sections(raw: Mapping[str, Any]) -> list[Any]:
    found = raw.get("train")
    return found if isinstance(found, list) else []


def _trainings(section: Any, place: str, file: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    if not isinstance(section, dict):
        yield {}, section
        return
    own = {name: value for name, value in section.items() if isinstance(value, list) and name in _single()}
    for chosen in _product(own, place, file):
        single = {**section, **chosen}
        settings = section.get("set")
        if not isinstance(settings, dict):
            yield chosen, single
            continue
        several = _takes_several(single, settings)
        axes = {name: value for name, value in settings.items() if _is_axis(value, name in several)}
        for setting in _product(axes, f"{place}.set", file):
            named = {f"set.{name}": value for name, value in setting.items()}
            yield {**chosen, **named}, {**single, "set": {**settings, **setting}}


def _single() -> set[str]:
    """List the keys of a ``[[train]]`` that take one value."""
    return {
        option.name
        for option in options_of(TrainOptions)
        if not option.several and not option.mark(Pairs) and not option.mark(CommandOnly)
    }


def _is_axis(value: Any, takes_several: bool) -> bool:
    return isinstance(value, list) and (not takes_several or any(isinstance(item, list) for item in value))


def _takes_several(section: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    """List the settings whose one value is several values itself.

    They are settings of the section's method or of the recipe.
    """
    if not any(isinstance(value, list) for value in settings.values()):
        return set()
    from pipelines.methods import load_method
    from pipelines.methods.recipe import Recipe

    method = load_method(str(section.get("method", TrainOptions.method)))
    hints = {**typing.get_type_hints(Recipe), **typing.get_type_hints(method.config)}
    return {name for name, kind in hints.items() if typing.get_origin(kind) is tuple}


def _product(axes: Mapping[str, list[Any]], place: str, file: Path) -> Iterator[dict[str, Any]]:
    for name, values in axes.items():
        if not values:
            raise InputError(f"{file}: {place}.{name} is an empty list; expected one value or more.")
    for chosen in itertools.product(*axes.values()):
        yield dict(zip(axes, chosen, strict=True))


def _with(raw: Mapping[str, Any], place: int, training: Any) -> dict[str, Any]:
    sections = list(raw["train"])
    sections[place] = training
    return {**raw, "train": sections}
