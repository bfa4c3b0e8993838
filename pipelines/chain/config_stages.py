"""Build the stages and plan the runs that a configuration file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.chain.config import Config
from pipelines.chain.grid import Cell
from pipelines.chain.stages import decode_stages, embed_stages, hands_stages
from pipelines.embed.stage import EmbedStage
from pipelines.engine.machine import Machine
from pipelines.engine.stage import Stage
from pipelines.engine.workspace import Workspace
from pipelines.methods import load_method
from pipelines.train.options import TrainOptions
from pipelines.train.plan import PlannedRun, choose_source, plan_run
from pipelines.train.protocol import SeveralFit


def options_in(config: Config, training: TrainOptions) -> TrainOptions:
    """Complete the options of a ``[[train]]`` from the whole file.

    The rest of the file gives the encoders, prompt, names and streams of the protocol.
    """
    embed = config.embed
    streams, classify = training.streams, training.classify
    if without_hands(config):
        streams, classify = streams or "full", classify or "full"
    return replace(
        training,
        encoder=embed.encoder,
        v2=embed.v2,
        streams=streams,
        classify=classify,
        prompt=embed.prompt,
        names=embed.names,
    )


def without_hands(config: Config) -> list[str]:
    """List the datasets in which no hands are looked for."""
    return [name for name in names_of(config) if config.hands_of(name) is None]


def planned_run(workspace: Workspace, config: Config, training: TrainOptions, machine: Machine) -> PlannedRun:
    """Plan the run of a ``[[train]]``.

    It is on the frames and hand crops of the same file; a workspace may have those of other plans and detectors too.
    """
    options = options_in(config, training)
    place = choose_source(workspace, training.dataset, trains=load_method(training.method).trains)
    if place[0] in names_of(config):
        options = replace(options, plan=_plans(workspace, config, machine)[place])
    try:
        return plan_run(workspace, options)
    except SeveralFit:
        # The stages know which crops are this file's. They are asked last, since they identify the weights.
        embedded = _embed_one(workspace, config, machine, [place[0]] if place[0] in names_of(config) else [])
        crops = [item.stream_slug for item in embedded if isinstance(item, EmbedStage) and item.stream == "hand"]
        if not crops:
            raise
        return plan_run(workspace, replace(options, hands=crops[0]))


def names_of(config: Config) -> list[str]:
    """List the datasets of a configuration."""
    return list(dict.fromkeys(section.name for section in config.dataset))


def _plans(workspace: Workspace, config: Config, machine: Machine) -> dict[tuple[str, str], str]:
    """Map the splits of the file's datasets to the plan of its ``[decode]``."""
    stages = [
        item for name in names_of(config) for item in decode_stages(workspace, name, None, config.decode, machine)
    ]
    return {(item.dataset, item.split): item.plan.slug for item in stages}


def _decode(workspace: Workspace, cells: Sequence[Cell], machine: Machine) -> list[Stage]:
    config = cells[0].config
    return [item for name in names_of(config) for item in decode_stages(workspace, name, None, config.decode, machine)]


def _hands(workspace: Workspace, cells: Sequence[Cell], machine: Machine) -> list[Stage]:
    config = cells[0].config
    return [item for name in names_of(config) for item in _hands_of(workspace, config, name, machine)]


def _hands_of(workspace: Workspace, config: Config, dataset: str, machine: Machine) -> Sequence[Stage]:
    hands = config.hands_of(dataset)
    if hands is None:
        return []
    return list(hands_stages(workspace, dataset, None, hands, machine, _plans(workspace, config, machine)))


def _embed(workspace: Workspace, cells: Sequence[Cell], machine: Machine) -> list[Stage]:
    """Build the stages of all different ``[embed]`` tables.

    A folder that several of them share comes once.
    """
    configs: list[Config] = []
    for cell in cells:
        if all(cell.config.embed != config.embed for config in configs):
            configs.append(cell.config)
    stages = [item for config in configs for item in _embed_one(workspace, config, machine, names_of(config))]
    folders: set[Path] = set()
    kept = []
    for item in stages:
        if isinstance(item, EmbedStage):
            if item.folder in folders:
                continue
            folders.add(item.folder)
        kept.append(item)
    return kept


def _embed_one(workspace: Workspace, config: Config, machine: Machine, datasets: Sequence[str]) -> list[Stage]:
    plans = _plans(workspace, config, machine)
    stages: list[Stage] = []
    for name in datasets:
        boxes = [item.folder.name for item in _hands_of(workspace, config, name, machine)]
        streams = config.embed.streams or ("both" if boxes else "full")
        options = replace(config.embed, streams=streams, detector=next(iter(boxes), None))
        stages += embed_stages(workspace, name, None, options, machine, plans)
        if options.v2 is not None:
            second = replace(options, encoder=options.v2, text=False, clip_frames=None)
            stages += embed_stages(workspace, name, None, second, machine, plans)
    return stages


STEPS = (("decode", _decode), ("detect-hands", _hands), ("embed", _embed))
"""Name of each step → function that builds its stages, in order."""
