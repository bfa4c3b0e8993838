"""Train a planned run: its unfinished heads, one after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch

from data_manifests.errors import InputError, Interrupted
from data_manifests.schema import Label
from pipelines.decode.stage import DecodeStage
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.clips import Clips, read_clips
from pipelines.engine.environment import versions
from pipelines.engine.leftovers import remove_leftovers, temporary_name
from pipelines.engine.locks import exclusive_lock, said_once
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.sealed import sealed
from pipelines.engine.shards import read_footer, read_rows
from pipelines.engine.workspace import Workspace
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, TextBank, build_method
from pipelines.train.backbone import Towers, load_towers
from pipelines.train.data import LoadedSplit, usable_clips
from pipelines.train.features import StreamVectors, load_stream
from pipelines.train.finished import CONFIG, SUMMARY, is_summarised, read_log, set_damaged_aside
from pipelines.train.follow import Assignment, follow_head
from pipelines.train.head import TrainSession, train_label, training_clips, training_data
from pipelines.train.loop import why_to_end
from pipelines.train.pixels import load_pictures
from pipelines.train.plan import PlannedRun
from pipelines.train.processes import ALONE, Processes
from pipelines.train.protocol import Protocol, text_file
from pipelines.train.resident import free_bytes, keep_on_device
from pipelines.train.selection import ValidationSet
from pipelines.train.steps import Steps
from pipelines.train.target import SelectionTarget
from pipelines.train.tracking import Tracking, all_rows
from pipelines.train.warnings import of_boxes


def load_text(workspace: Workspace, dataset: str, protocol: Protocol, label: Label, device: torch.device) -> TextBank:
    """Load a dataset's class names as a text bank.

    Returns:
        Raw vectors [C, D] in fp32, the encoder's logit scale, and the names. The bare texts come with them if there is
        no prompt and one text per class.

    Raises:
        MissingUpstream: the class names are not embedded.
        InputError: the encoder has no logit scale.
    """
    file = text_file(workspace, dataset, protocol, label)
    rows = read_rows(file)
    scale = read_footer(file).provenance["logit_scale"]
    if scale is None:
        raise InputError(f"{file}: its encoder has no logit scale; it cannot classify. Use a model with a text tower.")
    flat = rows.column("vector").combine_chunks().flatten().to_numpy()
    vectors = torch.from_numpy(flat.reshape(rows.num_rows, -1).copy()).to(device)
    bare = protocol.prompt == "{}" and protocol.names != "synonyms"
    texts = rows.column("text").to_pylist() if bare else None
    return TextBank(vectors, float(scale), rows.column("name").to_pylist(), texts)


def untrained_method(
    method_class: type[Method],
    config: Any,
    streams: Mapping[str, StreamVectors],
    logit_scale: float,
    seed: int,
    towers: Towers,
) -> Method:
    """Make an untrained method for these streams.

    Its initial weights depend on the seed only.

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
    workspace: Workspace, frames: DecodeStage, protocol: Protocol, clips: Clips, progress: Progress
) -> dict[str, StreamVectors]:
    """Load the vectors of every role that a protocol needs."""
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
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """Train the unfinished heads of a run, at most ``limit``.

    A finished head is left as it is, unless its weights are damaged: then it is trained again. A head that another
    process trains is waited for.

    Of several processes that train together, the first calls this and the others :func:`follow_run`.

    Returns:
        What ``--json`` prints: the run, its folder, and for each head a summary, the kept epoch and the seconds of
        its training.

    Raises:
        Interrupted: stopped by a signal or the time limit; the state is saved.
        InputError: no usable clip, a loss that is not finite, or a finished head whose log is damaged.
        UsageError: the package of a tracker is not installed.
    """
    tracking = Tracking(planned.options.log, workspace, planned, progress)
    deadline = time.monotonic() + 60 * time_limit_minutes if time_limit_minutes is not None else None

    def session_on(device: torch.device) -> TrainSession:
        return TrainSession(device, progress, checkpoint_minutes, deadline, stop, tracking.rows, processes)

    try:
        seconds = _train_unfinished(workspace, planned, machine, progress, session_on, limit)
        heads = {label: _summary(planned, label) for label in planned.options.labels if _finished(planned, label)}
        for label in heads:
            for part, lines in all_rows(planned.folder, label):
                tracking.rows(part, lines)
    finally:
        tracking.close()
        processes.give(None)
    if heads:
        _point_latest(workspace, planned)
    kept = {label: _kept(planned.folder / label, heads[label]) for label in heads}
    place = {"run": planned.name, "folder": str(planned.folder)}
    return {**place, "trained": list(seconds), "heads": heads, "kept": kept, "seconds": seconds}


def follow_run(workspace: Workspace, planned: PlannedRun, machine: Machine, processes: Processes) -> None:
    """Make the training steps of a run that the first process orders.

    Nothing is written but the layouts of vectors that are missing on this machine.

    Raises:
        InputError: the first process has ended, or what is trained on cannot be read here.
    """
    loaded: tuple[LoadedSplit, Towers] | None = None
    device = torch.device(machine.resolve_device())
    while (assignment := processes.give(None)) is not None:
        loaded = loaded or _load(workspace, planned, machine, device, Silent())
        _follow(workspace, planned, *loaded, assignment, processes)


def _follow(
    workspace: Workspace,
    planned: PlannedRun,
    split: LoadedSplit,
    towers: Towers,
    assignment: Assignment,
    processes: Processes,
) -> None:
    label, options = assignment.label, planned.options
    text = load_text(workspace, planned.config["source"]["dataset"], planned.protocol, label, split.device)
    method = _initial(planned, split, text, towers).to(split.device)
    clips, _ = training_clips(planned, label, split)
    data = training_data(planned, split, clips)
    steps = Steps(
        method,
        data,
        clips.labels,
        text,
        assignment.recipe,
        options.seed,
        split.device,
        options.precision,
        processes,
    )
    follow_head(method, steps, assignment, processes)


def _load(
    workspace: Workspace, planned: PlannedRun, machine: Machine, device: torch.device, progress: Progress
) -> tuple[LoadedSplit, Towers]:
    """Load what a run trains on, and the towers that its method learns through."""
    clips = read_clips(workspace, planned.config["source"]["dataset"], planned.frames.split)
    streams = load_streams(workspace, planned.frames, planned.protocol, clips, progress)
    needs = planned.method_class.needed_by(planned.settings.config)
    towers = load_towers(workspace, planned.protocol, needs, machine, planned.options.encoder)
    pictures = load_pictures(planned.frames, planned.protocol, streams, towers, machine.workers, progress)
    held = keep_on_device(streams, device, progress, free_bytes(device))
    return LoadedSplit(clips, streams, pictures, held, device), towers


def _initial(planned: PlannedRun, split: LoadedSplit, text: TextBank, towers: Towers) -> Method:
    """Make a run's method with its initial weights."""
    settings, seed = planned.settings.config, planned.options.seed
    return untrained_method(planned.method_class, settings, split.streams, text.logit_scale, seed, towers)


def _train_unfinished(
    workspace: Workspace,
    planned: PlannedRun,
    machine: Machine,
    progress: Progress,
    session_on: Callable[[torch.device], TrainSession],
    limit: int | None,
) -> dict[Label, float]:
    """Train the heads that are not finished; return how long each took, in seconds."""
    seconds: dict[Label, float] = {}
    for label in planned.options.labels:
        damage = set_damaged_aside(planned.folder / label)
        if damage:
            progress.note(f"{damage}; training this head again")
    todo = [label for label in planned.options.labels if not _finished(planned, label)][:limit]
    if todo:
        source = planned.config["source"]["dataset"]
        for warning in of_boxes(workspace, source, planned.protocol):
            progress.note(f"warning: {warning}")
        device = torch.device(machine.resolve_device())
        split, towers = _load(workspace, planned, machine, device, progress)
        session = session_on(device)
        for label in planned.options.labels:
            if not (planned.folder / label / CONFIG).is_file():
                _write_config(planned, label, split, session.processes)
        for label in todo:
            with exclusive_lock(planned.folder / label, _patience(planned, label, session)):
                if _finished(planned, label):
                    continue
                _write_config(planned, label, split, session.processes)
                text = load_text(workspace, source, planned.protocol, label, device)
                target = _watched_target(planned.target, label, towers, machine, progress) if planned.target else []
                make_method = partial(_initial, planned, split, text, towers)
                begun = time.monotonic()
                train_label(planned, label, make_method, split, text, target, session)
                seconds[label] = time.monotonic() - begun
    return seconds


def _summary(planned: PlannedRun, label: Label) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((planned.folder / label / SUMMARY).read_text())
    return summary


def _kept(head: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Read the line of metrics.jsonl of the kept epoch; empty without one."""
    lines = [json.loads(line) for line in read_log(head)]
    return next((line for line in lines if line["epoch"] == summary.get("selected_epoch")), {})


def _watched_target(
    target: SelectionTarget, label: Label, towers: Towers, machine: Machine, progress: Progress
) -> list[ValidationSet]:
    device = torch.device(machine.resolve_device())
    clips = read_clips(target.workspace, target.dataset, target.split)
    streams = load_streams(target.workspace, target.frames, target.protocol, clips, progress)
    text = load_text(target.workspace, target.dataset, target.protocol, label, device)
    pictures = load_pictures(target.frames, target.protocol, streams, towers, machine.workers, progress)
    held = keep_on_device(streams, device, progress, free_bytes(device))
    split = LoadedSplit(clips, streams, pictures, held, device)
    return [ValidationSet("target", split.data(usable_clips(clips, streams, label), None), text)]


def _finished(planned: PlannedRun, label: Label) -> bool:
    return is_summarised(planned.folder / label)


def _patience(planned: PlannedRun, label: Label, session: TrainSession) -> Callable[[], None]:
    """Return what to call while another process trains a head.

    It reports the wait once, and raises Interrupted if there is a reason to stop.
    """
    waiting = f"{label}: another process trains {planned.name} at the moment; waiting for it"
    say = said_once(session.progress.note, waiting)

    def wait() -> None:
        say()
        reason = why_to_end(session.deadline, session.stop)
        if reason:
            raise Interrupted(
                f"training of {label}: stopped ({reason}) while another process trains {planned.name}. "
                "The same command goes on from there."
            )

    return wait


def _write_config(planned: PlannedRun, label: Label, split: LoadedSplit, processes: Processes) -> None:
    folder = planned.folder / label
    folder.mkdir(parents=True, exist_ok=True)
    dims = {role: stream.dim for role, stream in split.streams.items()}
    config = {**planned.config, "name": planned.name, "key": planned.key, "label": label, "dims": dims}
    config["sources"] = dict(planned.sources)
    config["versions"] = {**versions("xmic", "torch", "numpy"), "device": split.device.type}
    # The rounding of sums on a CPU depends on the number of threads; from this one the training chooses its own.
    config["threads"] = torch.get_num_threads()
    if processes.size > 1:
        config["processes"] = processes.size
    with replace_atomically(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(sealed(config), indent=2, sort_keys=True) + "\n")


def _point_latest(workspace: Workspace, planned: PlannedRun) -> None:
    link = workspace.run("latest")
    remove_leftovers(link.parent, f".{link.name}.")
    if link.is_symlink() and link.readlink() == Path(planned.name):
        return
    temporary = link.with_name(temporary_name(f".{link.name}."))
    with suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(planned.name)
    temporary.replace(link)
