"""``metrics.json``: what one evaluation says, and under what it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from data_manifests.schema import Label
from data_manifests.vocabulary import Vocabulary
from pipelines.engine.command_lines import in_workspace
from pipelines.engine.environment import versions
from pipelines.engine.shards import read_footer
from pipelines.evaluate.calibration import Temperature
from pipelines.evaluate.clip_list import ClipList
from pipelines.evaluate.numbers import Subject, numbers_of
from pipelines.evaluate.predictions import Predictions
from pipelines.methods import load_method
from pipelines.methods.base import resolve_config
from pipelines.prepare.vocabulary import identity_of
from pipelines.train.features import StreamVectors
from pipelines.train.finished import SUMMARY

if TYPE_CHECKING:
    from pipelines.evaluate.stage import EvaluateStage

METRICS_SCHEMA = 3
_LAST = {"select": "last", "source_val": None, "target": None, "leaking": False}
"""How the epoch was kept of runs that were trained before there was a choice."""


def subject_of(item: EvaluateStage) -> Subject:
    """What an evaluation of a run evaluates on what."""
    config = item.run.config
    source, zero_shot = config["source"]["dataset"], config["method"] == "zero-shot"
    return Subject(item.workspace, source, item.dataset, item.split, list(item.run.heads), zero_shot)


def metrics_of(
    item: EvaluateStage,
    predictions: Predictions,
    mixed: list[dict[str, Any]],
    vocabularies: Mapping[Label, Vocabulary],
    temperatures: Mapping[Label, Temperature],
    listed: ClipList | None,
) -> dict[str, Any]:
    """Everything that metrics.json says.

    Args:
        item: an evaluation whose predictions are written.
        predictions: those of the clips to evaluate.
        mixed: what differs between run and target, from :func:`pipelines.train.protocol.on_target`.
        vocabularies: from :func:`pipelines.evaluate.numbers.vocabularies_of`.
        temperatures: of each head.
        listed: the list that the evaluation is held to.
    """
    config = item.run.config
    source = config["source"]
    subject = subject_of(item)
    numbers = numbers_of(subject, predictions, vocabularies, temperatures)
    for label, of_label in numbers["labels"].items():
        of_label |= _chosen(item, label)
    vectors = item.target.vectors or {}
    hand = next((v for v in vectors.values() if v.get("stream") == "hand"), None)
    any_vector = next(iter(vectors.values()), {})
    protocol = {
        "encoder": item.target.encoder,
        "encoder_spec": next((v.get("spec") for k, v in vectors.items() if k.startswith(item.target.encoder)), None),
        "v2": item.target.v2 if item.target.v2 != item.target.encoder else None,
        "streams": item.target.streams,
        "classify": item.target.classify,
        "clip_frames": next((v["clip_frames"] for v in vectors.values() if v.get("stream") == "clip"), None),
        "detector": hand.get("detector") if hand else None,
        "crop": hand.get("crop") if hand else None,
        "plan": item.frames.plan.slug,
        "precision": any_vector.get("precision"),
        "prompt": item.target.prompt,
        "names": item.target.names,
    }
    random = {str(v.get("encoder")) for v in vectors.values() if v.get("random_weights")}
    return {
        "schema": METRICS_SCHEMA,
        "run": {**run_facts(config), **changes(config)},
        "xmic_vector": item.vectors,
        "source": source,
        "target": {"dataset": item.dataset, "split": item.split},
        "within": subject.within,
        "protocol": protocol,
        "random_weights": sorted(random),
        "pretrained_on": {str(v["encoder"]): v["pretrained_on"] for v in vectors.values() if "pretrained_on" in v},
        "mixed": mixed,
        "vocabulary": {label: identity_of(of) for label, of in vocabularies.items()} if subject.cross else {},
        "clips_file": {"sha256": listed.sha256, "clips": len(predictions.clips.clip_ids)} if listed else None,
        "hand_fallback_rate": next((s.whole_frame for s in _hand_streams(item)), None),
        **numbers,
        "failures": _failures(item),
        "versions": versions("xmic", "torch", "open_clip_torch", "timm", "ultralytics", "av", "numpy", "pyarrow"),
        "commands": [item.command.removesuffix(f" {in_workspace(item.workspace.root)}")],
    }


def metrics_text(metrics: Mapping[str, Any]) -> str:
    """The text of metrics.json: indented, but each recording on one line."""
    text = json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False)
    return re.sub(r"\[\s+([\d.e+-]+),\s+(\d+)\s+\]", r"[\1, \2]", text) + "\n"


def run_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What every result says of its run: which one, by which recipe, and how its epoch was kept."""
    recipe, selection = config["recipe"], config.get("selection", _LAST)
    chosen_on = selection["target"]
    return {
        **{name: config[name] for name in ("name", "method", "preset", "seed", "key")},
        "recipe": recipe["name"] if recipe else None,
        "epochs": recipe["epochs"] if recipe else None,
        "select": selection["select"],
        "source_val": selection["source_val"],
        "select_target": chosen_on and f"{chosen_on['dataset']}:{chosen_on['split']}",
        "leaking": selection["leaking"],
    }


def changes(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """'changed_settings' and 'changed_recipe': what ``--set`` and ``--fixed-frames`` made other than the preset has it.

    What the protocol decides (streams, segments) is told there; of the rates that ``matched`` tries nothing is changed.
    """
    preset = resolve_config(load_method(config["method"]), config["preset"])
    recipe = config["recipe"] or {}
    tried = {"lr"} if str(recipe.get("name")).startswith("matched") else set()
    training = _differing(recipe, preset.recipe, tried)
    if config.get("fixed_frames") and recipe:
        training["fixed_frames"] = True
    decided = {"streams", "segments"}
    return {
        "changed_settings": _differing(config.get("method_config", {}), preset.config, decided),
        "changed_recipe": training,
    }


def _differing(found: Mapping[str, Any], preset: Any, ignored: set[str]) -> dict[str, Any]:
    # As JSON, in which a run's configuration is kept: tuples are lists there.
    known = json.loads(json.dumps(asdict(preset)))
    return {
        name: found[name]
        for name, value in known.items()
        if name in found and name not in ignored and found[name] != value
    }


def _chosen(item: EvaluateStage, label: str) -> dict[str, Any]:
    """'selected_epoch' from 1, and with the recipe ``matched`` the chosen 'lr'."""
    summary = json.loads((item.run.folder / label / SUMMARY).read_text(encoding="utf-8"))
    return {name: summary[name] for name in ("selected_epoch", "lr") if name in summary}


def _hand_streams(item: EvaluateStage) -> list[StreamVectors]:
    return [stream for stream in item.streams.values() if stream.whole_frame is not None]


def _failures(item: EvaluateStage) -> dict[str, dict[str, int]]:
    """Failed rows by stage, from the footers of what the evaluation reads."""
    found: dict[str, dict[str, int]] = {}
    base = item.workspace.embeddings(item.dataset, item.split, item.frames.plan.slug)
    places = [("decode", item.frames.folder)]
    places += [
        (f"embed {stream}", base / encoder / stream) for encoder, stream in sorted(set(item.target.needed.values()))
    ]
    for name, folder in places:
        for part in sorted(folder.glob("part-*.parquet")):
            for reason, count in read_footer(part).failures.items():
                counts = found.setdefault(name, {})
                counts[reason] = counts.get(reason, 0) + count
    return found
