"""Look up the settings of a method's preset without torch.

``presets.json`` has those of :data:`pipelines.methods.METHODS`, so that ``xmic status`` and ``xmic runs``
need not load their classes. ``python -m pipelines.methods.presets`` writes it; a test says when it is not current.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.methods import METHODS, load_method

FILE = Path(__file__).with_name("presets.json")


@dataclass(frozen=True)
class Preset:
    """Settings that a preset of a method resolves to, as JSON.

    Attributes:
        config: settings of the method.
        recipe: settings of the training.
        trains: the method has something to learn.
        conditions: the method conditions on streams of a second encoder.
    """

    config: Mapping[str, Any]
    recipe: Mapping[str, Any]
    trains: bool
    conditions: bool


def preset_of(method: str, preset: str) -> Preset:
    """Return the settings of a method's preset.

    The class of a user's own method is loaded.

    Raises:
        UsageError: there is no such method or preset.
    """
    known = _known().get(method, {}).get(preset)
    return resolved(method, preset) if known is None else Preset(**known)


def resolved(method: str, preset: str) -> Preset:
    """Resolve the settings of a preset by the method's class."""
    from pipelines.methods.base import CONDITIONING, resolve_config

    found = load_method(method)
    settings = resolve_config(found, preset)
    # As a run's configuration has them: tuples are lists there.
    config, recipe = (json.loads(json.dumps(asdict(part))) for part in (settings.config, settings.recipe))
    return Preset(config, recipe, found.trains, bool(found.needs & CONDITIONING))


def text_of_file() -> str:
    """Write the content of ``presets.json``."""
    found = {name: {preset: asdict(resolved(name, preset)) for preset in load_method(name).presets} for name in METHODS}
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


@cache
def _known() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    FILE.write_text(text_of_file(), encoding="utf-8")
    print(FILE)
