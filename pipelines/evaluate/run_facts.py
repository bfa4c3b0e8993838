"""Collect the run, recipe, protocol and failures of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.engine.shards import read_footer
from pipelines.evaluate.metrics_file import Run
from pipelines.evaluate.run_config import read_summary
from pipelines.methods.presets import preset_of
from pipelines.train.features import StreamVectors
from pipelines.train.protocol import Protocol

_LAST = {"select": "last", "source_val": None, "target": None, "leaking": False}
"""Epoch selection of runs that were trained before there was a choice."""


def run_facts(config: Mapping[str, Any]) -> Run:
    """Collect the run's name, recipe and epoch selection from its configuration."""
    recipe, selection = config["recipe"], config.get("selection", _LAST)
    chosen_on = selection["target"]
    return Run(
        **{name: config[name] for name in ("name", "method", "preset", "seed", "key")},
        recipe=recipe["name"] if recipe else None,
        epochs=recipe["epochs"] if recipe else None,
        select=selection["select"],
        source_val=selection["source_val"],
        select_target=chosen_on and f"{chosen_on['dataset']}:{chosen_on['split']}",
        leaking=selection["leaking"],
    )


def changes(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """List the settings of a run that differ from its preset.

    'changed_settings' and 'changed_recipe' are what ``--set``, ``--fixed-frames`` and ``--precision`` changed. Streams
    and segments, which the protocol decides, are in :func:`protocol_facts`. A learning rate that the recipe ``matched``
    tries is no change.
    """
    preset = preset_of(config["method"], config["preset"])
    recipe = config["recipe"] or {}
    tried = {"lr"} if str(recipe.get("name")).startswith("matched") else set()
    training = _differing(recipe, preset.recipe, tried)
    if config.get("fixed_frames") and recipe:
        training["fixed_frames"] = True
    if "precision" in config and recipe:
        training["precision"] = config["precision"]
    decided = {"streams", "segments"}
    return {
        "changed_settings": _differing(config.get("method_config", {}), preset.config, decided),
        "changed_recipe": training,
    }


def _differing(found: Mapping[str, Any], preset: Mapping[str, Any], ignored: set[str]) -> dict[str, Any]:
    return {
        name: found[name]
        for name, value in preset.items()
        if name in found and name not in ignored and found[name] != value
    }


def chosen(head: Path) -> dict[str, Any]:
    """Read the epoch and learning rate that training chose.

    'selected_epoch' counts from 1; 'lr' is there with the recipe ``matched`` only.
    """
    summary = read_summary(head)
    return {name: summary[name] for name in ("selected_epoch", "lr") if name in summary}


def protocol_facts(target: Protocol, plan: str) -> dict[str, Any]:
    """Collect the protocol that the scores were made under.

    It has the encoders, streams, frames, crops and class names.

    Args:
        target: the protocol on the target.
        plan: the slug of its frame plan.
    """
    vectors = target.vectors or {}
    hand = next((v for v in vectors.values() if v.get("stream") == "hand"), None)
    any_vector = next(iter(vectors.values()), {})
    return {
        "encoder": target.encoder,
        "encoder_spec": next((v.get("spec") for k, v in vectors.items() if k.startswith(target.encoder)), None),
        "v2": target.v2 if target.v2 != target.encoder else None,
        "streams": target.streams,
        "classify": target.classify,
        "clip_frames": next((v["clip_frames"] for v in vectors.values() if v.get("stream") == "clip"), None),
        "detector": hand.get("detector") if hand else None,
        "crop": hand.get("crop") if hand else None,
        "plan": plan,
        "precision": any_vector.get("precision"),
        "prompt": target.prompt,
        "names": target.names,
    }


def random_weights(target: Protocol) -> list[str]:
    """List the encoders of a target that have random weights."""
    return sorted({str(v.get("encoder")) for v in (target.vectors or {}).values() if v.get("random_weights")})


def pretrained_on(target: Protocol) -> dict[str, str]:
    """Map encoders to the egocentric data that they were pretrained on.

    Encoders whose vectors name no such data are left out.
    """
    vectors = (target.vectors or {}).values()
    return {str(v["encoder"]): v["pretrained_on"] for v in vectors if "pretrained_on" in v}


def hand_fallback_rate(streams: Iterable[StreamVectors]) -> float | None:
    """Return the share of frames in which no hand was found.

    Such frames are used whole. The share is None without a stream of hand crops.
    """
    return next((stream.whole_frame for stream in streams if stream.whole_frame is not None), None)


def failures(folders: Sequence[tuple[str, Path]]) -> dict[str, dict[str, int]]:
    """Count failed rows by stage and reason.

    The counts are in the footers of the shards that an evaluation reads.

    Args:
        folders: (stage, folder of its shards); a stage may have several.
    """
    found: dict[str, dict[str, int]] = {}
    for name, folder in folders:
        for part in sorted(folder.glob("part-*.parquet")):
            for reason, count in read_footer(part).failures.items():
                counts = found.setdefault(name, {})
                counts[reason] = counts.get(reason, 0) + count
    return found
