"""A run: one method, one configuration, one seed, trained on one dataset, with a noun and a verb head."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from data_manifests.errors import InputError, Interrupted, MissingUpstream, UsageError
from data_manifests.schema import LABELS, Label
from pipelines.atomic import replace_atomically
from pipelines.decode.stage import DecodeStage
from pipelines.digest import digest_json
from pipelines.embed.text import text_command, text_slug
from pipelines.environment import versions
from pipelines.locks import alone
from pipelines.machine import Machine
from pipelines.methods import load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, Settings, TextBank, build_method, resolve_config
from pipelines.progress import Progress
from pipelines.protocol import Protocol, ProtocolChoice, resolve, vector_digests
from pipelines.shards import read_footer, read_rows
from pipelines.train.backbone import Towers, load_towers
from pipelines.train.data import ClipData, usable_clips
from pipelines.train.features import SplitClips, StreamVectors, load_stream, read_clips
from pipelines.train.finished import CONFIG, SUMMARY, is_summarised, set_damaged_aside
from pipelines.train.head import Sitting, train_label
from pipelines.train.loop import why_to_end
from pipelines.train.optim import Recipe
from pipelines.train.pixels import load_pictures
from pipelines.train.selection import Watched
from pipelines.train.target import SelectionTarget, find_target
from pipelines.train.terms import LEARNING_RATES, Terms
from pipelines.workspace import Workspace

PRESET_CLASSIFIES = {"official": "hand", "xmic-code": "hand", "paper": "full"}
"""The classified stream of a preset: hand crops in the official code, full frames in the paper's text."""


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for; the protocol's blanks are filled from what is embedded."""

    dataset: str | None = None
    method: str = "xmic"
    preset: str = "official"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    protocol: ProtocolChoice = field(default_factory=ProtocolChoice)
    seed: int = 0
    labels: tuple[Label, ...] = LABELS
    fixed_frames: bool = False
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True)
class PlannedRun:
    """A run before it is trained: its name, key and everything that makes it."""

    name: str
    key: str
    folder: Path
    config: Mapping[str, Any]
    protocol: Protocol
    frames: DecodeStage
    method_class: type[Method]
    settings: Settings
    request: RunRequest
    target: SelectionTarget | None = None


def choose_source(workspace: Workspace, dataset: str | None, *, trains: bool = True) -> tuple[str, str]:
    """The dataset and split to train on: the train split of the named dataset, or of the only one that has it.

    A method that learns nothing (``trains`` False) is content with any split where there is no train split.

    Raises:
        UsageError: several have a train split and none was named.
        MissingUpstream: there is none.
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


def plan_run(workspace: Workspace, request: RunRequest) -> PlannedRun:
    """Settle everything about a run without reading a vector.

    Raises:
        UsageError: unknown method, preset or key, training on a plan with one candidate without
            ``fixed_frames``, or terms that a method without anything to learn can not have.
        MissingUpstream, InputError: see :func:`pipelines.protocol.resolve`.
    """
    method_class = load_method(request.method)
    source, split = choose_source(workspace, request.dataset, trains=method_class.trains)
    classify = PRESET_CLASSIFIES.get(request.preset, "full") if method_class.trains else "full"
    conditioned = bool(method_class.needs & {"hand_vectors", "v2_vectors"})
    protocol, frames = resolve(
        workspace, source, split, request.protocol, classify_default=classify, conditioned=conditioned
    )
    settings = _settings(method_class, request, protocol)
    if "text_tower" in method_class.needed_by(settings.config):
        _refuse_prompts(request.method, request.protocol)
    trains = method_class.trains
    if trains and frames.plan.candidates == 1 and not request.fixed_frames:
        raise UsageError(
            f"{frames.folder}: one candidate a segment leaves training nothing to draw from. Decode with "
            "--candidates 3 (the default for train), or pass --fixed-frames to train on segment centres."
        )
    terms = request.terms
    if not trains and not terms.ordinary:
        raise UsageError(f"{request.method} learns nothing: leave out --recipe, --source-val and --select.")
    target = find_target(workspace, terms.target, protocol, (source, split)) if terms.target else None
    config = {
        "method": request.method,
        "preset": request.preset,
        "method_config": asdict(settings.config),
        "recipe": _recipe(request, settings.recipe) if trains else None,
        "selection": _selection(workspace, terms, target),
        "seed": request.seed,
        "fixed_frames": request.fixed_frames,
        "source": {"dataset": source, "split": split},
        "protocol": protocol.as_dict(),
        "inputs": _inputs(workspace, protocol, frames),
    }
    key = digest_json(config)
    safe = re.sub(r"[^A-Za-z0-9]+", "-", request.method).strip("-").lower()
    name = f"{safe}-{request.preset}-{source}-s{request.seed}-{key[:8]}"
    folder = workspace.root / "runs" / name
    return PlannedRun(name, key, folder, config, protocol, frames, method_class, settings, request, target)


def _refuse_prompts(method: str, choice: ProtocolChoice) -> None:
    """A method that learns the prompt puts it around one bare text a class.

    Raises:
        UsageError: the class names come with a prompt, or as several texts.
    """
    if choice.prompt != "{}":
        raise UsageError(f"--prompt {choice.prompt!r}: {method} learns its own prompt around the bare class names.")
    if choice.names == "synonyms":
        raise UsageError(
            f"--names synonyms: {method} learns a prompt around one text a class; take --names official or fixed."
        )


def _settings(method_class: type[Method], request: RunRequest, protocol: Protocol) -> Settings:
    """The method's settings, with those that the protocol decides taken from it."""
    decided = {"streams": protocol.streams, "segments": protocol.segments}
    own = {name for name in decided if name in method_class.config.__dataclass_fields__}
    for name in own & set(request.overrides):
        raise UsageError(f"--set {name}: it belongs to the protocol; use --streams, or decode with other --segments.")
    return resolve_config(method_class, request.preset, {**request.overrides, **{name: decided[name] for name in own}})


def _recipe(request: RunRequest, recipe: Recipe) -> dict[str, Any]:
    """The recipe with its name: 'published', 'matched', 'custom' where ``--set`` changes it, or 'matched, custom'."""
    matched = request.terms.recipe == "matched"
    if matched and "lr" in request.overrides:
        raise UsageError(
            "--set lr: --recipe matched tries the same learning rates for every method "
            f"({', '.join(f'{rate:g}' for rate in LEARNING_RATES)}). Leave one of the two out."
        )
    custom = bool(set(request.overrides) & set(Recipe.__dataclass_fields__))
    names = ["matched"] * matched + ["custom"] * custom
    tried = {"lr": list(LEARNING_RATES)} if matched else {}
    return {"name": ", ".join(names) or "published", **asdict(recipe), **tried}


def _selection(workspace: Workspace, terms: Terms, target: SelectionTarget | None) -> dict[str, Any]:
    """Which epoch is kept and by what, for config.json; ``leaking`` where it is chosen by a target's labels."""
    of = None
    if target:
        inputs = _inputs(workspace, target.protocol, target.frames)
        of = {"dataset": target.dataset, "split": target.split, "inputs": inputs}
    return {
        "select": terms.select,
        "source_val": terms.source_val,
        "target": of,
        "leaking": terms.select == "target",
    }


def _inputs(workspace: Workspace, protocol: Protocol, frames: DecodeStage) -> dict[str, Any]:
    dataset = frames.dataset
    clips = read_footer(workspace.manifest(dataset, frames.split) / "clips.parquet").digest
    shards = vector_digests(frames, protocol)
    texts = {label: read_footer(text_file(workspace, dataset, protocol, label)).digest for label in LABELS}
    return {"clips": clips, "vectors": shards, "text": texts}


def text_file(workspace: Workspace, dataset: str, protocol: Protocol, label: Label) -> Path:
    """The class-name vectors of a dataset under a protocol.

    Raises:
        MissingUpstream: they are not embedded.
    """
    folder = workspace.root / "text" / dataset / protocol.encoder
    file = folder / f"{label}-{text_slug(protocol.prompt, protocol.names)}.parquet"
    if not file.is_file():
        recorded = [of for place, of in protocol.vectors.items() if place.startswith(f"{protocol.encoder}/")]
        spec = workspace.encoders.get(protocol.encoder) or next((of["spec"] for of in recorded if "spec" in of), "NAME")
        made = {"spec": spec, "prompt": protocol.prompt, "names": protocol.names}
        raise MissingUpstream(
            f"{file}: the {protocol.names} {label} class names are not embedded with prompt {protocol.prompt!r}. "
            f"Run {text_command(workspace, dataset, made)}"
        )
    return file


def load_text(workspace: Workspace, dataset: str, protocol: Protocol, label: Label, device: torch.device) -> TextBank:
    """The class names as a classifier: vectors [C, D] raw fp32, the encoder's logit scale, and the bare texts."""
    file = text_file(workspace, dataset, protocol, label)
    rows = read_rows(file)
    scale = read_footer(file).provenance["logit_scale"]
    if scale is None:
        raise InputError(f"{file}: its encoder has no logit scale; it can not classify. Use a model with a text tower.")
    flat = rows.column("vector").combine_chunks().flatten().to_numpy()
    vectors = torch.from_numpy(flat.reshape(rows.num_rows, -1).copy()).to(device)
    bare = protocol.prompt == "{}" and protocol.names != "synonyms"
    texts = rows.column("text").to_pylist() if bare else None
    return TextBank(vectors, float(scale), rows.column("name").to_pylist(), texts)


def fresh_method(
    method_class: type[Method],
    config: Any,
    streams: Mapping[str, StreamVectors],
    logit_scale: float,
    seed: int,
    towers: Towers,
) -> Method:
    """An untrained method for these streams; its first weights depend on the seed only.

    Raises:
        InputError: the conditioning streams differ in width.
    """
    widths = {role: streams[role].dim for role in ("hand", "full") if role in streams}
    if len(set(widths.values())) > 1:
        raise InputError(f"hand and full vectors of V_II differ in width ({widths}); embed both with one encoder.")
    dim = streams["frames"].dim
    dim_v2 = next(iter(widths.values()), dim)
    return build_method(method_class, config, Backbone(dim, dim_v2, logit_scale, towers.text, towers.visual), seed)


def load_streams(
    workspace: Workspace, frames: DecodeStage, protocol: Protocol, clips: SplitClips, progress: Progress
) -> dict[str, StreamVectors]:
    """The vectors of every role a protocol needs."""
    return {
        role: load_stream(workspace, frames, encoder, stream, clips.clip_ids, progress)
        for role, (encoder, stream) in protocol.needed.items()
    }


def train_run(
    workspace: Workspace,
    planned: PlannedRun,
    machine: Machine,
    progress: Progress,
    *,
    checkpoint_minutes: float | None = None,
    time_limit_minutes: float | None = None,
    limit: int | None = None,
    stop: Callable[[], str | None] = lambda: None,
) -> dict[str, Any]:
    """Train the heads that are not finished, at most ``limit`` of them; a finished run is never touched, but for a head
    whose weights are damaged, which is trained again. A head that another process trains is waited for.

    Returns:
        What ``--json`` prints: the run, its folder and a summary of each head.

    Raises:
        Interrupted: stopped by a signal or the time limit, state saved.
        InputError: no usable clip, or a loss that is not finite.
    """
    deadline = time.monotonic() + 60 * time_limit_minutes if time_limit_minutes is not None else None
    heads: dict[str, Any] = {}
    trained: list[Label] = []
    for label in planned.request.labels:
        damage = set_damaged_aside(planned.folder / label)
        if damage:
            progress.note(f"{damage}; training this head again")
    todo = [label for label in planned.request.labels if not _finished(planned, label)][:limit]
    if todo:
        source = planned.config["source"]["dataset"]
        device = torch.device(machine.resolve_device())
        clips = read_clips(workspace, source, planned.frames.split)
        streams = load_streams(workspace, planned.frames, planned.protocol, clips, progress)
        needs = planned.method_class.needed_by(planned.settings.config)
        towers = load_towers(workspace, planned.protocol, needs, machine, planned.request.protocol.encoder)
        pictures = load_pictures(planned.frames, planned.protocol, streams, towers, machine.workers, progress)
        sitting = Sitting(device, progress, checkpoint_minutes, deadline, stop)
        for label in planned.request.labels:
            if not (planned.folder / label / CONFIG).is_file():
                _write_config(planned, label, streams, device)
        for label in todo:
            with alone(planned.folder / label, _patience(planned, label, sitting)):
                if _finished(planned, label):
                    continue
                _write_config(planned, label, streams, device)
                text = load_text(workspace, source, planned.protocol, label, device)
                target = _watched_target(planned.target, label, towers, machine, progress) if planned.target else []

                def fresh(text: TextBank = text) -> Method:
                    settings, seed = planned.settings.config, planned.request.seed
                    return fresh_method(planned.method_class, settings, streams, text.logit_scale, seed, towers)

                train_label(planned, label, fresh, clips, streams, pictures, text, target, sitting)
                trained.append(label)
    for label in planned.request.labels:
        if _finished(planned, label):
            heads[label] = json.loads((planned.folder / label / SUMMARY).read_text())
    if heads:
        _point_latest(workspace, planned)
    return {"run": planned.name, "folder": str(planned.folder), "trained": trained, "heads": heads}


def _watched_target(
    target: SelectionTarget, label: Label, towers: Towers, machine: Machine, progress: Progress
) -> list[Watched]:
    device = torch.device(machine.resolve_device())
    clips = read_clips(target.workspace, target.dataset, target.split)
    streams = load_streams(target.workspace, target.frames, target.protocol, clips, progress)
    text = load_text(target.workspace, target.dataset, target.protocol, label, device)
    pictures = load_pictures(target.frames, target.protocol, streams, towers, machine.workers, progress)
    data = ClipData(streams, usable_clips(clips, streams, label), clips.clip_ids, None, device, pictures)
    return [Watched("target", data, text)]


def _finished(planned: PlannedRun, label: Label) -> bool:
    return is_summarised(planned.folder / label)


def _patience(planned: PlannedRun, label: Label, sitting: Sitting) -> Callable[[], None]:
    """What is done while another process trains a head: it is said once, and a reason to stop ends the wait."""
    told = False

    def wait() -> None:
        nonlocal told
        if not told:
            sitting.progress.note(f"{label}: another process trains {planned.name} at the moment; waiting for it")
            told = True
        reason = why_to_end(sitting.deadline, sitting.stop)
        if reason:
            raise Interrupted(
                f"training of {label}: stopped ({reason}) while another process trains {planned.name}. "
                "The same command goes on from there."
            )

    return wait


def _write_config(
    planned: PlannedRun, label: Label, streams: Mapping[str, StreamVectors], device: torch.device
) -> None:
    folder = planned.folder / label
    folder.mkdir(parents=True, exist_ok=True)
    dims = {role: stream.dim for role, stream in streams.items()}
    config = {**planned.config, "name": planned.name, "key": planned.key, "label": label, "dims": dims}
    config["versions"] = {**versions("xmic", "torch", "numpy"), "device": device.type}
    # Sums on a CPU round by how many threads share them.
    config["threads"] = torch.get_num_threads()
    with replace_atomically(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _point_latest(workspace: Workspace, planned: PlannedRun) -> None:
    link = workspace.root / "runs" / "latest"
    temporary = link.with_name(f".latest.{os.getpid()}")
    with suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(planned.name)
    temporary.replace(link)
