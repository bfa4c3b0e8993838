"""Plan a run: one method, configuration, seed and dataset for both heads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import MissingUpstream, UsageError
from data_manifests.schema import LABELS
from pipelines.decode.stage import DecodeStage
from pipelines.engine.clips import clips_footer
from pipelines.engine.digest import digest_json
from pipelines.engine.shards import read_footer
from pipelines.engine.workspace import Workspace
from pipelines.methods import load_method
from pipelines.methods.base import CONDITIONING, Method, Settings, resolve_config
from pipelines.methods.recipe import Recipe
from pipelines.methods.sources import setting_sources
from pipelines.train.options import ProtocolChoice, TrainOptions
from pipelines.train.policy import LEARNING_RATES, PRESET_CLASSIFIES, SelectionPolicy
from pipelines.train.protocol import Protocol, resolve, text_file, vector_digests
from pipelines.train.target import SelectionTarget, find_target


@dataclass(frozen=True)
class PlannedRun:
    """Run before it is trained, with its name, key and configuration.

    ``sources`` tells where each setting comes from: see :func:`pipelines.methods.sources.setting_sources`.
    """

    name: str
    key: str
    folder: Path
    config: Mapping[str, Any]
    protocol: Protocol
    frames: DecodeStage
    method_class: type[Method]
    settings: Settings
    options: TrainOptions
    sources: Mapping[str, str]
    target: SelectionTarget | None = None


def choose_source(workspace: Workspace, dataset: str | None, *, trains: bool = True) -> tuple[str, str]:
    """Choose the dataset and split to train on.

    It is the train split of the named dataset, or of the only dataset that has one. A method that learns nothing
    (``trains`` False) takes another split if there is no train split.

    Raises:
        UsageError: several datasets have a train split and none was named.
        MissingUpstream: no train split is prepared.
    """
    trainable = [name for name, split in workspace.prepared() if split == "train"]
    if not trains and dataset not in trainable and (dataset is not None or not trainable):
        return workspace.choose(dataset)[0]
    if dataset is not None:
        if dataset not in trainable:
            raise MissingUpstream(
                f"{workspace.root}: {dataset} has no prepared train split "
                f"(with one: {', '.join(trainable) or 'none'}). Run xmic prepare for it."
            )
        return dataset, "train"
    if not trainable:
        raise MissingUpstream(f"{workspace.root}: no dataset with a train split is prepared. Run xmic prepare.")
    if len(trainable) > 1:
        raise UsageError(
            f"several datasets have a train split ({', '.join(trainable)}): say which with xmic train DATASET"
        )
    return trainable[0], "train"


def plan_run(workspace: Workspace, options: TrainOptions) -> PlannedRun:
    """Settle everything about a run without reading a vector.

    Raises:
        UsageError: unknown method, preset or key, training on a plan with one candidate without
            ``fixed_frames``, or a recipe or selection for a method that learns nothing.
        MissingUpstream, InputError: see :func:`pipelines.train.protocol.resolve`.
    """
    method_class = load_method(options.method)
    source, split = choose_source(workspace, options.dataset, trains=method_class.trains)
    classify, conditioned = _classified(method_class, options), bool(method_class.needs & CONDITIONING)
    protocol, frames = resolve(workspace, source, split, options, classify_default=classify, conditioned=conditioned)
    settings = _settings(method_class, options, protocol)
    if "text_tower" in method_class.needed_by(settings.config):
        _refuse_prompts(options.method, options)
    trains = method_class.trains
    if trains and frames.plan.candidates == 1 and not options.fixed_frames:
        raise UsageError(
            f"{frames.folder}: one candidate a segment leaves training nothing to draw from. Decode with "
            "--candidates 3 (the default for train), or pass --fixed-frames to train on segment centres."
        )
    policy = options.policy
    if not trains and not policy.ordinary:
        raise UsageError(f"{options.method} learns nothing: leave out --recipe, --source-val and --select.")
    target = find_target(workspace, policy.target, protocol, (source, split)) if policy.target else None
    config = {
        "method": options.method,
        "preset": options.preset,
        "method_config": asdict(settings.config),
        "recipe": _recipe(options, settings.recipe) if trains else None,
        "selection": _selection(workspace, policy, target),
        "seed": options.seed,
        "fixed_frames": options.fixed_frames,
        "source": {"dataset": source, "split": split},
        "protocol": protocol.as_dict(),
        "inputs": _inputs(workspace, protocol, frames),
    }
    if options.precision != TrainOptions.precision:
        config["precision"] = options.precision
    key = digest_json(config)
    safe = re.sub(r"[^A-Za-z0-9]+", "-", options.method).strip("-").lower()
    name = f"{safe}-{options.preset}-{source}-s{options.seed}-{key[:8]}"
    folder = workspace.run(name)
    sources = setting_sources(method_class, options.preset, options.set, _decided(method_class, protocol))
    return PlannedRun(name, key, folder, config, protocol, frames, method_class, settings, options, sources, target)


def reads_hands(options: TrainOptions) -> bool:
    """Return whether a run classifies hand crops or is conditioned on them.

    Raises:
        UsageError: unknown method.
    """
    method_class = load_method(options.method)
    conditioned = bool(method_class.needs & CONDITIONING) and (options.streams or "both") != "full"
    return conditioned or (options.classify or _classified(method_class, options)) == "hand"


def _classified(method_class: type[Method], options: TrainOptions) -> str:
    """Return the stream that is classified by default."""
    return PRESET_CLASSIFIES.get(options.preset, "full") if method_class.trains else "full"


def _refuse_prompts(method: str, choice: ProtocolChoice) -> None:
    """Refuse prompts and synonyms for a method that learns the prompt.

    Such a method puts its prompt around one bare text per class.

    Raises:
        UsageError: the class names come with a prompt, or as several texts.
    """
    if choice.prompt != "{}":
        raise UsageError(f"--prompt {choice.prompt!r}: {method} learns its own prompt around the bare class names.")
    if choice.names == "synonyms":
        raise UsageError(
            f"--names synonyms: {method} learns a prompt around one text a class; take --names official or fixed."
        )


def _settings(method_class: type[Method], options: TrainOptions, protocol: Protocol) -> Settings:
    """Resolve the method's settings, taking streams and segments from the protocol."""
    decided = _decided(method_class, protocol)
    for name in decided.keys() & options.set.keys():
        raise UsageError(f"--set {name}: it belongs to the protocol; use --streams, or decode with other --segments.")
    return resolve_config(method_class, options.preset, {**options.set, **decided})


def _decided(method_class: type[Method], protocol: Protocol) -> dict[str, Any]:
    """Return the method's settings that the protocol decides."""
    decided = {"streams": protocol.streams, "segments": protocol.segments}
    return {name: value for name, value in decided.items() if name in method_class.config.__dataclass_fields__}


def _recipe(options: TrainOptions, recipe: Recipe) -> dict[str, Any]:
    """Return the recipe for config.json, with its name.

    The name is 'published', 'matched', 'custom' if ``--set`` changes the recipe, or 'matched, custom'.
    """
    matched = options.policy.recipe == "matched"
    if matched and "lr" in options.set:
        raise UsageError(
            "--set lr: --recipe matched tries the same learning rates for every method "
            f"({', '.join(f'{rate:g}' for rate in LEARNING_RATES)}). Leave one of the two out."
        )
    custom = bool(set(options.set) & set(Recipe.__dataclass_fields__))
    names = ["matched"] * matched + ["custom"] * custom
    tried = {"lr": list(LEARNING_RATES)} if matched else {}
    return {"name": ", ".join(names) or "published", **asdict(recipe), **tried}


def _selection(workspace: Workspace, policy: SelectionPolicy, target: SelectionTarget | None) -> dict[str, Any]:
    """Return the selection of the epoch for config.json.

    ``leaking`` is True if the epoch is chosen by a target's labels.
    """
    of = None
    if target:
        inputs = _inputs(workspace, target.protocol, target.frames)
        of = {"dataset": target.dataset, "split": target.split, "inputs": inputs}
    return {
        "select": policy.select,
        "source_val": policy.source_val,
        "target": of,
        "leaking": policy.select == "target",
    }


def _inputs(workspace: Workspace, protocol: Protocol, frames: DecodeStage) -> dict[str, Any]:
    dataset = frames.dataset
    clips = clips_footer(workspace, dataset, frames.split).digest
    shards = vector_digests(frames, protocol)
    texts = {label: read_footer(text_file(workspace, dataset, protocol, label)).digest for label in LABELS}
    return {"clips": clips, "vectors": shards, "text": texts}
