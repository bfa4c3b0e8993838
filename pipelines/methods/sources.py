"""Tell where each setting comes from: the paper, code, or us."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

from pipelines.methods.base import PRESET_SOURCES, Method
from pipelines.methods.recipe import Recipe


def preset_source(method: type[Method], preset: str) -> str:
    """Return where the values of a preset come from."""
    return method.sources.get(preset) or PRESET_SOURCES.get(preset, "not said")


def setting_sources(
    method: type[Method], preset: str, given: Collection[str] = (), decided: Collection[str] = ()
) -> dict[str, str]:
    """Return the source of each setting, of method and recipe.

    Args:
        method: the method's class.
        preset: one of its presets.
        given: settings that the user gives.
        decided: settings that the protocol decides.
    """
    found = {}
    own = method.setting_sources.get(preset, {})
    for config in (method.config, Recipe) if method.trains else (method.config,):
        for item in fields(config):
            if item.name in given:
                found[item.name] = "--set"
            elif item.name in decided:
                found[item.name] = "the protocol"
            elif item.name in method.presets[preset]:
                found[item.name] = own.get(item.name) or preset_source(method, preset)
            else:
                found[item.name] = own.get(item.name) or item.metadata.get("source") or method.default_source
    return found
