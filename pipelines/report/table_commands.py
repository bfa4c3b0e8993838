"""Write the commands that fill a table's empty cells."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from data_manifests.schema import LABELS
from pipelines.evaluate.metrics_file import Run
from pipelines.report.collect import train_command
from pipelines.report.table_groups import Group
from pipelines.report.table_plans import NORMS

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
    for place, option in ((0, ""), (1, f" --cross {shlex.quote(cross or 'DATASET')}")):
        for name, pair in zip(names, group.pairs, strict=True):
            if pair[place] is None:
                commands.append(f"xmic evaluate {shlex.quote(name)}{option}")
    for label in LABELS:
        if not any(label in metrics.labels for metrics in group.known):
            commands.append(f"{train_command(run, group.first.trained_on.dataset)} --label {label}")
    return commands


def to_train(source: str, method: str, setting: str) -> str:
    """Write the command that trains a row of the paper that we have no run of.

    Args:
        source: dataset to train on.
        method: its name.
        setting: as the paper's rows have it: 'v2=dino', 'streams=full', 'encoder=CLIP ViT-L/14', 'norms=n1 n3',
            'prompt=Image of a {}', or ''.
    """
    name, _, value = setting.partition("=")
    train = f"xmic train {shlex.quote(source)} --method {method}"
    if name == "v2":
        return f"{train} --v2 {_DINO}"
    if name == "streams":
        return f"{train} --streams {value}"
    if name == "encoder":
        spec = shlex.quote(_SPECS.get(value, value))
        clip, classified = (" --clip-frames 16", " --classify clip") if spec.startswith("lavila:") else ("", "")
        return f"xmic embed --encoder {spec}{clip}; then {train} --encoder {spec}{classified}"
    if name == "norms":
        return " ".join([train, *_norms(value.split())])
    if name == "prompt":
        prompt = shlex.quote(value)
        return f"xmic embed --prompt {prompt}; then {train} --prompt {prompt}"
    return train


def _norms(wanted: Sequence[str]) -> list[str]:
    return [f"--set {name}={str(name in wanted).lower()}" for name, there in NORMS.items() if (name in wanted) != there]


def to_begin(table: int, run: Run, source: str, *, crossed: bool) -> str:
    """Write the command that begins a table without runs.

    Args:
        table: its number.
        run: a run that there is.
        source: the dataset it was trained on.
        crossed: something is evaluated on another dataset already, so that what Table 2 lacks is the source's classes.
    """
    if table < 4:
        evaluate = f"xmic evaluate {shlex.quote(run.name)} --cross {'egtea' if table == 3 else 'DATASET'}"
        return f"xmic prepare (of {source}, in this workspace); then {evaluate}" if table == 2 and crossed else evaluate
    first = {4: "streams=full", 5: "encoder=CLIP ViT-L/14", 6: "norms=none", 7: "prompt=Image of a {}"}
    return to_train(source, "xmic", first[table])
