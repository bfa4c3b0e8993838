"""``xmic run``: every stage of a config file, in order. What is done is skipped, as in each single command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from data_manifests.schema import LABELS, canonical_split
from pipelines import stage
from pipelines.chain import (
    DecodeOptions,
    EmbedOptions,
    HandsOptions,
    decode_stages,
    embed_stages,
    hands_stages,
)
from pipelines.config import Config, DatasetSection, TrainSection
from pipelines.evaluate.run import evaluate, find_run, targets_of
from pipelines.machine import Machine
from pipelines.prepare import Prepared, prepare
from pipelines.progress import Progress
from pipelines.protocol import ProtocolChoice
from pipelines.readers import reader_of
from pipelines.report.write import write_report
from pipelines.stage import Choice, Stage, parse_max_failures
from pipelines.train.run import RunRequest, plan_run, train_run
from pipelines.workspace import Workspace


@dataclass
class ChainResult:
    """What each part of the chain did; ``made`` counts shards, trained heads and evaluations."""

    workspace: str
    made: int = 0
    prepared: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass
class PlannedChain:
    """What a chain would do next: later stages can not be planned before the earlier ones are done."""

    todo: list[str] = field(default_factory=list)
    then: list[str] = field(default_factory=list)


def run_chain(
    config: Config, machine: Machine, progress: Progress, stop: Callable[[], Any] = lambda: None
) -> ChainResult:
    """Run the chain.

    Args:
        config: from :func:`pipelines.config.read_config`.
        machine: workers, device, network.
        progress: told of each stage.
        stop: gives a context manager within which a training may be asked to save and stop.

    Raises:
        XmicError: as the single stages do; what was done stays.
    """
    workspace = Workspace.open(config.workspace)
    result = ChainResult(str(config.workspace))
    for section in config.dataset:
        made = _prepare(workspace, section, progress=progress)
        result.prepared.append(vars(made))
        result.made += made.made
    choice = Choice(max_failures=parse_max_failures(config.max_failures))
    for build in (_decode, _hands, _embed):
        for item in build(workspace, config, machine):
            report = stage.run(item, choice, progress)
            result.stages.append(vars(report))
            result.made += report.made
    for training in config.train:
        planned = plan_run(workspace, request_of(config, training))
        with stop() as asked:
            trained = train_run(
                workspace,
                planned,
                machine,
                progress,
                checkpoint_minutes=training.checkpoint_minutes,
                stop=asked,
            )
        result.runs.append(trained)
        result.made += len(trained["trained"])
        run = find_run(workspace, planned.name)
        targets, notes = targets_of(workspace, run, config.evaluate.cross, config.evaluate.split)
        for text in notes:
            progress.note(text)
        metrics = evaluate(workspace, run, targets, machine, progress, allow_mixed=config.evaluate.allow_mixed)
        result.evaluations += metrics
        result.made += sum(item["made"] for item in metrics)
    if config.train:
        result.report = write_report(workspace, config.report.name)
    return result


def plan_chain(config: Config, machine: Machine) -> PlannedChain:
    """What :func:`run_chain` would do first, without doing it."""
    workspace = Workspace.open(config.workspace)
    plan = PlannedChain()
    for section in config.dataset:
        found = _prepare(workspace, section, dry_run=True)
        plan.todo += found.plan
    steps = [("decode", _decode), ("detect-hands", _hands), ("embed", _embed)]
    for position, (_, build) in enumerate(steps):
        if plan.todo:
            plan.then = [name for name, _ in steps[position:]] + ["train", "evaluate", "report"]
            return plan
        for item in build(workspace, config, machine):
            plan.todo += [f"{i.unit.path}: {i.state.value}, {i.why}" for i in stage.plan(item).todo]
    if plan.todo:
        plan.then = ["train", "evaluate", "report"]
        return plan
    for training in config.train:
        planned = plan_run(workspace, request_of(config, training))
        plan.todo += [
            f"{planned.folder / label}: not trained yet"
            for label in planned.request.labels
            if not (planned.folder / label / "summary.json").is_file()
        ]
    plan.then = ["evaluate", "report"] if plan.todo else []
    return plan


def _prepare(workspace: Workspace, section: DatasetSection, **options: Any) -> Prepared:
    splits = [canonical_split(split) for split in section.splits]
    reader = reader_of(section)
    return prepare(workspace, section.name, reader, section.videos, splits=splits, limit=section.limit, **options)


def request_of(config: Config, section: TrainSection) -> RunRequest:
    """A ``[[train]]`` section as a run request; the protocol's encoder is that of ``[embed]``."""
    labels = LABELS if section.label == "both" else (section.label,)
    streams = section.streams
    classify = section.classify
    if not all(config.hands_of(name) for name in _names(config)):
        streams, classify = streams or "full", classify or "full"
    choice = ProtocolChoice(
        encoder=config.embed.encoder,
        v2=config.embed.v2,
        streams=streams,
        classify=classify,
        prompt=config.embed.prompt,
        names=config.embed.names,
    )
    return RunRequest(
        section.dataset,
        section.method,
        section.preset,
        section.set,
        choice,
        section.seed,
        labels,
        section.fixed_frames,
        section.terms,
    )


def _names(config: Config) -> list[str]:
    return list(dict.fromkeys(section.name for section in config.dataset))


def _decode(workspace: Workspace, config: Config, machine: Machine) -> list[Stage]:
    options = DecodeOptions(**config.decode.model_dump())
    return [item for name in _names(config) for item in decode_stages(workspace, name, None, options, machine)]


def _hands(workspace: Workspace, config: Config, machine: Machine) -> list[Stage]:
    stages: list[Stage] = []
    for name in _names(config):
        hands = config.hands_of(name)
        if hands is not None:
            stages += hands_stages(workspace, name, None, HandsOptions(**hands.model_dump()), machine)
    return stages


def _embed(workspace: Workspace, config: Config, machine: Machine) -> list[Stage]:
    values = config.embed.model_dump()
    v2 = values.pop("v2")
    stages: list[Stage] = []
    for name in _names(config):
        streams = values["streams"] or ("both" if config.hands_of(name) else "full")
        of_dataset = {**values, "streams": streams}
        stages += embed_stages(workspace, name, None, EmbedOptions(**of_dataset), machine)
        if v2 is not None:
            second = EmbedOptions(**{**of_dataset, "encoder": v2, "text": False, "clip_frames": None})
            stages += embed_stages(workspace, name, None, second, machine)
    return stages
