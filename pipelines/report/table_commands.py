"""Write the commands that fill a table's empty cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_manifests.schema import LABELS
from pipelines.embed.options import EmbedOptions
from pipelines.engine.command_lines import command_line
from pipelines.evaluate.metrics_file import Run
from pipelines.evaluate.options import EvaluateOptions, ScoreOptions
from pipelines.prepare.options import Ego4dOptions, EgteaOptions, EpicOptions, TableOptions
from pipelines.report.collect import train_command
from pipelines.report.table_groups import Group
from pipelines.report.table_plans import NORMS
from pipelines.train.options import TrainOptions

_SPECS = {
    "CLIP ViT-B/16": "open_clip:ViT-B-16/openai",
    "CLIP ViT-L/14": "open_clip:ViT-L-14/openai",
    "Lavila ViT-L/14": "lavila:CLIP_OPENAI_TIMESFORMER_LARGE=FILE",
}
_DINO = "timm:vit_large_patch14_dinov2.lvd142m"


def to_fill(group: Group, cross: str | None) -> list[str]:
    """Write the commands that fill the empty cells of a row.

    Args:
        group: the row's runs.
        cross: the dataset of the table's other side; None where none is known.
    """
    run = group.run
    if run.preset is None:  # scores that were given: no command of ours makes more of them
        return []
    commands = []
    names = [next(metrics for metrics in pair if metrics).run.name for pair in group.pairs]
    for place, others in ((0, ()), (1, (cross or "DATASET",))):
        for name, pair in zip(names, group.pairs, strict=True):
            if pair[place] is None:
                commands.append(command_line("evaluate", EvaluateOptions(others), name))
    for label in LABELS:
        if not any(label in metrics.labels for metrics in group.known):
            commands.append(train_command(run, group.first.trained_on.dataset, label))
    return commands


def to_train(source: str, method: str, setting: str) -> str:
    """Write the command that trains a row of the paper's tables.

    Args:
        source: dataset to train on; '' where it is not known.
        method: its name.
        setting: as the paper's rows have it: 'v2=dino', 'streams=full', 'encoder=CLIP ViT-L/14', 'norms=n1 n3',
            'prompt=Image of a {}', or ''.
    """
    name, _, value = setting.partition("=")
    train = TrainOptions(source or "DATASET", method)
    before = ""
    if name == "v2":
        train = replace(train, v2=_DINO)
    elif name == "streams":
        train = replace(train, streams=value)  # type: ignore[arg-type]
    elif name == "encoder":
        spec = _SPECS.get(value, value)
        clips = spec.startswith("lavila:")
        before = command_line("embed", EmbedOptions(spec, clip_frames=16 if clips else None))
        train = replace(train, encoder=spec, classify="clip" if clips else None)
    elif name == "norms":
        train = replace(train, set=_norms(value.split()))
    elif name == "prompt":
        before = command_line("embed", EmbedOptions("NAME", prompt=value))
        train = replace(train, prompt=value)
    return f"{before} && {command_line('train', train)}" if before else command_line("train", train)


def _norms(wanted: Sequence[str]) -> dict[str, bool]:
    return {name: name in wanted for name, there in NORMS.items() if (name in wanted) != there}


def _to_prepare(dataset: str) -> str:
    """Write the command that prepares a dataset, whose reader is known by its usual name only."""
    official = {"epic": EpicOptions, "ego4d": Ego4dOptions, "egtea": EgteaOptions}
    if dataset in official:
        return command_line(f"prepare {dataset}", official[dataset](annotations=Path("FOLDER")))
    return command_line("prepare table", TableOptions(name=dataset, files=("FILE",)))


def to_begin(table: int, run: Run, source: str, *, crossed: bool) -> str:
    """Write the command that begins a table without runs.

    Args:
        table: its number.
        run: an existing run.
        source: the dataset it was trained on; '' where it is not known.
        crossed: something is evaluated on another dataset already, so that what Table 2 lacks is the source's classes.
    """
    if table < 4:
        target = "egtea" if table == 3 else "DATASET"
        if run.scored:  # No run of ours can be evaluated: its scores on the target are given too.
            options = ScoreOptions(files=(Path("FILE"),), dataset=target, name=run.name, source=source or "DATASET")
            evaluate = command_line("score", options)
        else:
            evaluate = command_line("evaluate", EvaluateOptions((target,)), run.name)
        return f"{_to_prepare(source or 'DATASET')} && {evaluate}" if table == 2 and crossed else evaluate
    first = {4: "streams=full", 5: "encoder=CLIP ViT-L/14", 6: "norms=none", 7: "prompt=Image of a {}"}
    return to_train(source, "xmic", first[table])
