"""Describe a method in plain values: needs, parameters, presets and settings."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pipelines.methods import load_method
from pipelines.methods.backbone import Widths
from pipelines.methods.base import Method, resolve_config
from pipelines.methods.recipe import Recipe
from pipelines.methods.sources import preset_source, setting_sources

_ORDER = ("frame_vectors", "hand_vectors", "v2_vectors", "text_vectors", "text_tower", "pixels")


@dataclass(frozen=True)
class Preset:
    """Preset of a method, with the parameters it trains.

    Attributes:
        differs: setting → value, where it is not the default.
        source: where the values come from.
        sources: setting → where its value comes from, for every setting of the method and of its recipe.
        parameters: number of parameters it trains at the given widths.
    """

    differs: Mapping[str, Any]
    source: str
    sources: Mapping[str, str]
    parameters: int


@dataclass(frozen=True)
class Setting:
    """Setting of a method or of its recipe, as ``--set`` takes it.

    ``source`` says where the default comes from.
    """

    default: Any
    source: str
    values: str
    help: str


@dataclass(frozen=True)
class Description:
    """Description of a method, as ``xmic methods`` prints it.

    ``what`` is the first paragraph of the class's docstring. ``settings`` are the method's own, ``recipe`` those of its
    training; ``recipe`` is empty when the method does not train.
    """

    name: str
    what: str
    needs: list[str]
    trains: bool
    presets: Mapping[str, Preset]
    settings: Mapping[str, Setting]
    recipe: Mapping[str, Setting]

    @property
    def parameters(self) -> int:
        """Number of parameters trained with the first preset."""
        return next(iter(self.presets.values())).parameters


def describe_method(spec: str, widths: Widths) -> Description:
    """Describe a method.

    Args:
        spec: as :func:`pipelines.methods.load_method` takes it.
        widths: the widths at which its parameters are counted.

    Raises:
        UsageError: there is no such method, or the widths do not fit it.
    """
    method = load_method(spec)
    return Description(
        spec,
        (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " "),
        [name for name in _ORDER if name in method.needs],
        method.trains,
        {name: _preset(method, name, widths) for name in method.presets},
        _settings(method.config, method.default_source),
        _settings(Recipe, method.default_source) if method.trains else {},
    )


def _preset(method: type[Method], name: str, widths: Widths) -> Preset:
    config = resolve_config(method, name).config
    parameters = method.parameters_for(config, widths)
    return Preset(method.presets[name], preset_source(method, name), setting_sources(method, name), parameters)


def _settings(config: type[Any], source: str) -> dict[str, Setting]:
    hints = typing.get_type_hints(config)
    return {
        item.name: Setting(
            item.default,
            item.metadata.get("source") or source,
            _values(hints[item.name]),
            item.metadata.get("help", ""),
        )
        for item in fields(config)
    }


def _values(kind: Any) -> str:
    """Describe in words the values of a setting."""
    if typing.get_origin(kind) is Literal:
        return " | ".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        return ",".join(_values(one) for one in typing.get_args(kind))
    return {bool: "true | false", int: "whole number", float: "number", str: "text"}[kind]
