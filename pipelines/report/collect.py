"""Collect evaluations into table rows, one per run and cross target.

Each row also has the run's evaluation within its own dataset.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import LABELS, Label
from pipelines.embed.options import EmbedOptions
from pipelines.engine.clips import clips_footer
from pipelines.engine.command_lines import as_text, command_line, in_workspace
from pipelines.engine.shards import read_footer
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.differs import told_apart
from pipelines.evaluate.evaluation import harmonic_mean_of
from pipelines.evaluate.intervals import Interval, Kind, between
from pipelines.evaluate.metrics_file import METRICS, DatasetSplit, Metrics, Run, folder_name, read_metrics
from pipelines.evaluate.options import Control, EvaluateOptions, ScoreOptions
from pipelines.train.finished import what_it_learned_from_has_changed
from pipelines.train.options import TrainOptions

PREDICTIONS = "predictions.parquet"
KINDS = ("within", "cross", "hm", "top-5", "class mean")
COLUMNS = [f"{label} {kind}" for label in LABELS for kind in KINDS]
"""Columns of the table in order: top-1 within the run's own dataset and across, their harmonic mean, top-5 and class
mean. The last two are of the cross target, or of the own dataset where there is no cross target."""

MARKS = {
    "R": "random weights",
    "M": "mixed artifacts",
    "P": "pretrained on egocentric data",
    "L": "leaking",
    "O": "out of date",
}
"""Meaning of the letters behind a row."""

_OTHER_CLIPS = "of which the clips or labels have changed"
_AS_IT_WAS = "as it was before its clips or labels changed"


@dataclass(frozen=True)
class Cell:
    """Number of a table with its clips and its interval.

    Attributes:
        value: percent; None where nothing was evaluated.
        evaluated: clips it is over (for a harmonic mean, those of both accuracies).
        official: clips it should be over; fewer evaluated ones mark the cell.
        interval: 95 % over recordings, percent; None where there is none.
        interval_kind: how it was found; 'degenerate' where a harmonic mean can have none, None where none is asked for.
        few: fewer than 30 recordings or 100 clips: shown in grey.
    """

    value: float | None
    evaluated: int = 0
    official: int = 0
    interval: Interval | None = None
    interval_kind: Kind | None = None
    few: bool = False

    @property
    def between(self) -> str:
        """Interval as text with its mark, empty where none is asked for."""
        return between(self.interval, self.interval_kind)

    @property
    def partial(self) -> bool:
        """Return whether clips of the split are missing from the number."""
        return self.evaluated < self.official

    @property
    def text(self) -> str:
        """Number as text with two decimals.

        A star marks missing clips, a dash a missing number.
        """
        return ("–" if self.value is None else f"{self.value:.2f}") + "*" * self.partial

    @property
    def clips(self) -> str:
        """Clips as 'evaluated/official', empty where nothing was to be evaluated."""
        return f"{self.evaluated}/{self.official}" if self.official else ""


@dataclass(frozen=True)
class Row:
    """Row of results: a run on its own and a cross target.

    ``cells`` maps 'noun within', 'noun cross', 'noun hm', … to a cell. ``pretrained_on`` names the egocentric data that
    an encoder was pretrained on, '' where there is none. ``apart`` is of :func:`apart_notes`.
    """

    run: Run
    source: DatasetSplit
    within: DatasetSplit | None
    cross: DatasetSplit | None
    random_weights: bool
    mixed: bool
    pretrained_on: str
    outdated: bool
    control: Control
    apart: Sequence[str]
    cells: Mapping[str, Cell]

    @property
    def name(self) -> str:
        """Name of the run, with what a control alters."""
        return folder_name(self.run.name, self.control)

    @property
    def method(self) -> str:
        """Name of the method and its preset, with what differs from it.

        That is recipe, settings, the rule by which the epoch was kept, what else tells the run apart, and a control.
        """
        return method_title(self.run, [*self.apart, *self.control.words])

    @property
    def marks(self) -> str:
        """Letters of :data:`MARKS` that apply to the row.

        - 'R': random weights.
        - 'M': mixed artifacts.
        - 'P': an encoder was pretrained on egocentric data.
        - 'L': leaking; the epoch was chosen by a target's labels.
        - 'O': out of date; clips or labels that were trained or evaluated on have changed since.
        """
        pretrained, leaking = "P" * bool(self.pretrained_on), "L" * self.run.leaking
        return "R" * self.random_weights + "M" * self.mixed + pretrained + leaking + "O" * self.outdated


@dataclass(frozen=True)
class Gap:
    """Reason for empty cells, and the command that fills them."""

    why: str
    command: str


@dataclass(frozen=True)
class Collected:
    """All evaluations of a workspace and the table made of them.

    Evaluations are in the order of their folders.
    """

    evaluations: Sequence[Metrics]
    folders: Sequence[Path]
    rows: Sequence[Row]
    gaps: Sequence[Gap]

    @property
    def random_weights(self) -> list[str]:
        """Encoders and detectors with random weights."""
        return sorted({name for metrics in self.evaluations for name in metrics.random_weights})

    @property
    def pretrained_on(self) -> list[str]:
        """Encoders that were pretrained on egocentric data, in words."""
        found = {encoder: on for metrics in self.evaluations for encoder, on in metrics.pretrained_on.items()}
        return [f"{encoder} was pretrained on {on}" for encoder, on in sorted(found.items())]

    @property
    def mixed(self) -> list[str]:
        """Differences between a run and a target, in words."""
        return [
            f"{metrics.run.name} on {metrics.target}: {item.what} {item.run} against {item.target}"
            for metrics in self.evaluations
            for item in metrics.mixed
        ]

    @property
    def outdated(self) -> list[str]:
        """Evaluations whose clips or labels have changed since, in words.

        The clips are those that the run was trained on, or those of the target.
        """
        found = [metrics for metrics in self.evaluations if metrics.outdated]
        return [f"{metrics.name} on {metrics.target}, {metrics.outdated}" for metrics in found]

    @property
    def leaking(self) -> list[str]:
        """Runs whose epoch was chosen by a target's labels, in words."""
        found = [metrics.run for metrics in self.evaluations if metrics.run.leaking]
        return list(dict.fromkeys(f"{run.name}, chosen by {run.select_target}" for run in found))

    @property
    def common_versions(self) -> Mapping[str, str] | None:
        """Library versions when all evaluations have the same, else None."""
        first = self.evaluations[0].versions
        return first if all(metrics.versions == first for metrics in self.evaluations) else None


def collect(workspace: Workspace) -> Collected:
    """Read all evaluations of a workspace, and mark outdated ones.

    An evaluation is outdated where clips or labels, of its target or its run's training data, have changed since.

    Raises:
        MissingUpstream: there is no evaluation.
        InputError: see :func:`pipelines.evaluate.metrics_file.read_metrics`.
    """
    folder = workspace.evaluations
    files = sorted(folder.glob(f"*/*/{METRICS}"))
    read = [read_metrics(file) for file in files]
    learned = {name: _learned_from(workspace, name) for name in dict.fromkeys(metrics.run.name for metrics in read)}
    apart = told_apart(workspace.run_folders())
    evaluations = [
        _dated(workspace, metrics, file.parent, learned[metrics.run.name]).model_copy(
            update={"apart": apart.get(metrics.run.name, {})}
        )
        for metrics, file in zip(read, files, strict=True)
    ]
    if not evaluations:
        raise MissingUpstream(f"{folder}: no evaluation. Run xmic evaluate {in_workspace(workspace.root)}")
    by_run: dict[str, list[Metrics]] = {}
    for metrics in evaluations:
        by_run.setdefault(metrics.name, []).append(metrics)
    datasets = list(dict.fromkeys(dataset for dataset, _ in workspace.prepared()))
    rows = [_row(*pair) for group in by_run.values() for pair in pairs(group)]
    gaps = [gap for group in by_run.values() for gap in _gaps(group, datasets)]
    return Collected(evaluations, [file.parent for file in files], rows, gaps)


def _learned_from(workspace: Workspace, name: str) -> str | None:
    """Name in words the training data of a run whose clips or labels have changed; None of an up-to-date run."""
    folder = workspace.run_named(name)
    heads = (folder / label for label in LABELS) if folder else ()
    return next(filter(None, (what_it_learned_from_has_changed(workspace, head) for head in heads)), None)


def _dated(workspace: Workspace, metrics: Metrics, folder: Path, learned: str | None) -> Metrics:
    """Mark an evaluation where what its run learned from, or its target, has other clips or labels since."""
    if learned:
        return metrics.model_copy(update={"outdated": f"trained on {learned} {_AS_IT_WAS}"})
    try:
        then = read_footer(folder / PREDICTIONS).inputs.get("clips")
        now = clips_footer(workspace, metrics.target.dataset, metrics.target.split).digest
    except (FileNotFoundError, InputError):  # What is not there any more says nothing.
        return metrics
    return metrics.model_copy(update={"outdated": _OTHER_CLIPS if then not in (None, now) else ""})


def pairs(evaluations: Sequence[Metrics]) -> list[tuple[Metrics | None, Metrics | None]]:
    """Pair the evaluations of one run within and across datasets.

    Every evaluation is in at least one (within, cross) pair. A cross evaluation is paired with the one within the run's
    dataset on the split of the same name, else with the first. A split without labels (a challenge's test split) comes
    last.
    """
    own = sorted((metrics for metrics in evaluations if metrics.within), key=lambda metrics: not metrics.labelled)
    found: list[tuple[Metrics | None, Metrics | None]] = []
    for cross in (metrics for metrics in evaluations if not metrics.within):
        same = [metrics for metrics in own if metrics.labelled and metrics.target.split == cross.target.split]
        found.append((next(iter(same or own), None), cross))
    used = [id(within) for within, _ in found]
    return [(metrics, None) for metrics in own if id(metrics) not in used] + found


def method_name(run: Run) -> str:
    """Name the method and its preset, such as 'xmic official'.

    The presets of zero-shot are one and the same, so its default has no name.
    """
    plain = run.preset is None or (run.method == "zero-shot" and run.preset == "official")
    return run.method if plain else f"{run.method} {run.preset}"


def method_notes(run: Run, more: Sequence[str] = (), without: Collection[str] = ()) -> list[str]:
    """Name what differs from the preset, each in few words.

    Args:
        run: of the method.
        more: further notes, which come last.
        without: settings that are named elsewhere.
    """
    recipe, changed = run.recipe or "published", {**run.changed_settings, **run.changed_recipe}
    if run.changed_recipe:  # The changes themselves say more than "custom".
        recipe = recipe.removesuffix("custom").removesuffix(", ") or "published"
    notes = [] if recipe == "published" else [f"recipe {recipe}"]
    notes += [_changed(name, value) for name, value in changed.items() if name not in without]
    notes += [] if run.select == "last" else [f"epoch by {run.select}"]
    return [*notes, *more]


def method_title(run: Run, more: Sequence[str] = (), without: Collection[str] = ()) -> str:
    """Name the method and preset, with what differs from it in brackets."""
    notes = method_notes(run, more, without)
    return f"{method_name(run)} ({'; '.join(notes)})" if notes else method_name(run)


def apart_notes(metrics: Metrics, without: Collection[str] = ()) -> list[str]:
    """Name what tells a run apart, besides what :func:`method_notes` names.

    Args:
        metrics: an evaluation of the run.
        without: settings that are named elsewhere.
    """
    named = {"recipe", "select", *metrics.run.changed_settings, *metrics.run.changed_recipe, *without}
    return [f"{name}={as_text(value)}" for name, value in metrics.apart.items() if name not in named]


def _changed(name: str, value: object) -> str:
    return name.replace("_", " ") if value is True else f"{name}={value}"


def _row(within: Metrics | None, cross: Metrics | None) -> Row:
    there = [metrics for metrics in (within, cross) if metrics]
    known, last = there[0], there[-1]
    cells: dict[str, Cell] = {}
    for label in LABELS:
        own, other = (_cell(metrics, label, "top1", drawn=True) for metrics in (within, cross))
        mean = harmonic_mean_of(within, cross, label)
        cells |= {f"{label} within": own, f"{label} cross": other, f"{label} hm": Cell(None)}
        if mean:
            sizes = own.evaluated + other.evaluated, own.official + other.official
            few = own.few or other.few
            cells[f"{label} hm"] = Cell(mean.value, *sizes, mean.interval, mean.interval_kind, few)
        cells[f"{label} top-5"] = _cell(last, label, "top5")
        cells[f"{label} class mean"] = _cell(last, label, "class_mean")
    return Row(
        known.run,
        known.trained_on,
        within.target if within else None,
        cross.target if cross else None,
        any(metrics.random_weights for metrics in there),
        any(metrics.mixed for metrics in there),
        ", ".join(sorted({on for metrics in there for on in metrics.pretrained_on.values()})),
        any(bool(metrics.outdated) for metrics in there),
        known.control,
        apart_notes(known),
        cells,
    )


def _cell(metrics: Metrics | None, label: Label, what: str, *, drawn: bool = False) -> Cell:
    numbers = metrics.labels.get(label) if metrics else None
    if metrics is None or numbers is None:
        return Cell(None)
    ends, kind = (metrics.interval(numbers), numbers.interval_kind) if drawn else (None, None)
    return Cell(getattr(numbers, what), numbers.n_evaluated, numbers.n_official, ends, kind, numbers.few)


def _gaps(evaluations: Sequence[Metrics], datasets: Sequence[str]) -> Iterator[Gap]:
    run, source = evaluations[0].run, evaluations[0].trained_on.dataset
    for metrics in evaluations:
        if metrics.outdated == _OTHER_CLIPS:
            why = f"{metrics.name} on {metrics.target} is out of date: its clips or labels have changed"
            yield Gap(why, _evaluate_again(metrics))
        elif metrics.outdated:
            yield Gap(f"{metrics.name} is out of date: {metrics.outdated}", train_command(run, source))
            break
    if run.scored or run.preset is None:
        return
    shown, control = evaluations[0].name, evaluations[0].control
    if not any(metrics.within for metrics in evaluations):
        yield Gap(f"{shown} is not evaluated within {source}", _evaluate_command(run.name, control))
    if all(metrics.within for metrics in evaluations):
        others = tuple(dataset for dataset in datasets if dataset != source)
        command = _evaluate_command(run.name, control, others or ("DATASET",))
        yield Gap(f"{shown} is not evaluated on another dataset", command)
    for label in LABELS:
        if not control and not any(label in metrics.labels for metrics in evaluations):
            yield Gap(f"{run.name} has no {label} head", train_command(run, source, label))
        for metrics in evaluations:
            numbers = metrics.labels.get(label)
            if numbers and not numbers.n_evaluated and numbers.n_official:
                why = f"{shown} on {metrics.target}: no clip with a {label} has its vectors"
                spec = metrics.protocol.get("encoder_spec") or "NAME"
                yield Gap(why, command_line("embed", EmbedOptions(spec), metrics.target.dataset))


def _evaluate_again(metrics: Metrics) -> str:
    name, target = metrics.run.name, metrics.target
    if metrics.run.scored:
        options = ScoreOptions(files=(Path("FILE"),), dataset=target.dataset, split=target.split, name=name)
        return command_line("score", options)
    cross = () if metrics.within else (target.dataset,)
    return _evaluate_command(name, metrics.control, cross, target.split)


def _evaluate_command(run: str, control: Control, cross: tuple[str, ...] = (), split: str | None = None) -> str:
    options = EvaluateOptions(cross, split, **control.options)  # type: ignore[arg-type]
    return command_line("evaluate", options, run)


def train_command(run: Run, source: str, label: str = "both") -> str:
    """Write the command line that trains such a run.

    Options that the protocol decides are left out.
    """
    changed = {**run.changed_settings, **run.changed_recipe}
    fixed_frames = bool(changed.pop("fixed_frames", False))
    precision = changed.pop("precision", TrainOptions.precision)
    options = TrainOptions(
        source,
        run.method,
        run.preset or TrainOptions.preset,
        changed,
        label=label,  # type: ignore[arg-type]
        seed=run.seed or 0,
        recipe="matched" if run.recipe and run.recipe.startswith("matched") else "published",
        source_val=None if run.source_val is None else f"{run.source_val:g}%",
        select=run.select,  # type: ignore[arg-type]
        target=run.select_target,
        fixed_frames=fixed_frames,
        precision=precision,
    )
    return command_line("train", options)
