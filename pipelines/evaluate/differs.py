"""Find what tells the runs of a workspace apart, besides the hash."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_manifests.errors import XmicError
from data_manifests.schema import LABELS
from pipelines.engine.command_lines import as_text
from pipelines.evaluate.run_facts import changes, run_facts
from pipelines.methods.presets import preset_of
from pipelines.train.finished import CONFIG
from pipelines.train.policy import PRESET_CLASSIFIES

_DEFAULTS = {"prompt": "{}", "names": "official"}
_MADE_BY = ("encoder", "v2", "detector", "crop", "segments", "short_side", "quality")


def run_config(folder: Path) -> dict[str, Any] | None:
    """Read a run's configuration; None where no head has one."""
    for label in LABELS:
        try:
            found = json.loads((folder / label / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and {"method", "preset", "protocol", "recipe", "source", "seed"} <= set(found):
            return found
    return None


def differences(config: Mapping[str, Any]) -> dict[str, Any]:
    """List the settings that differ from the preset's defaults.

    Args:
        config: content of config.json.

    Returns:
        Option or setting → value, as ``xmic train`` takes it. A method that is not installed here has no settings to
        compare with: only the options are listed.
    """
    protocol = config["protocol"]
    found = {name: protocol[name] for name, usual in _DEFAULTS.items() if protocol.get(name, usual) != usual}
    if protocol["v2"] != protocol["encoder"]:
        found["v2"] = protocol["v2"]
    found |= _terms(config)
    try:
        preset = preset_of(config["method"], config["preset"])
        changed = changes(config)
    except XmicError:
        return found
    streams = "both" if preset.conditions else None
    classify = PRESET_CLASSIFIES.get(config["preset"], "full") if preset.trains else "full"
    usual = {"streams": streams, "classify": classify}
    told = {name: protocol[name] for name, value in usual.items() if protocol[name] != value}
    return {**told, **found, **changed["changed_settings"], **changed["changed_recipe"]}


def _terms(config: Mapping[str, Any]) -> dict[str, Any]:
    """List the recipe, the held-out recordings and the rule for the epoch where they are not the defaults."""
    facts = run_facts({"name": "", "key": "", **config})
    held = None if facts.source_val is None else f"{facts.source_val:g}%"
    recipe = "matched" if (facts.recipe or "").startswith("matched") else None
    select = None if facts.select == "last" else facts.select
    terms = {"recipe": recipe, "source_val": held, "select": select, "target": facts.select_target}
    return {name: value for name, value in terms.items() if value is not None}


def in_words(differs: Mapping[str, Any]) -> str:
    """Write differences as ``streams=hand epochs=5``."""
    return " ".join(shlex.quote(f"{name}={as_text(value)}") for name, value in differs.items())


def told_apart(folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Find what each run differs in from its preset.

    Names that differ in their hash only also get the encoder, detector, crop and frames where these differ.

    Args:
        folders: folders of the runs.

    Returns:
        Name of the run → what differs; runs without a readable configuration are left out.
    """
    configs = {folder.name: config for folder in folders if (config := run_config(folder)) is not None}
    made_by = {name: _made_by(config["protocol"]) for name, config in configs.items()}
    found = {}
    for name, config in configs.items():
        alike = [made_by[other] for other in configs if _stem(other) == _stem(name)]
        varied = {key: value for key, value in made_by[name].items() if any(one[key] != value for one in alike)}
        found[name] = {**varied, **differences(config)}
    return found


def _stem(name: str) -> str:
    return name.rpartition("-")[0]


def _made_by(protocol: Mapping[str, Any]) -> dict[str, Any]:
    hand = (protocol.get("vectors") or {}).get(f"{protocol['v2']}/{protocol['hands']}") or {}
    known = {**protocol, "detector": hand.get("detector"), "crop": hand.get("crop")}
    return {name: known.get(name) for name in _MADE_BY}
