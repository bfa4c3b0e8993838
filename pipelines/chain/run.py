"""Run every stage of a config file in order, for ``xmic run``.

What is done is skipped, as in each single command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from data_manifests.errors import InputError, MissingUpstream, UsageError
from data_manifests.schema import canonical_split
from pipelines.chain.config import Config, DatasetSection
from pipelines.chain.config_stages import STEPS, names_of, planned_run, without_hands
from pipelines.chain.detectors import check_detectors
from pipelines.chain.executor import Executor, Local, Step, Stop, never
from pipelines.chain.findings import finding
from pipelines.chain.grid import Cell
from pipelines.chain.readers import reader_of, roots_of
from pipelines.engine import stage
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pipelines.engine.stage import RunPolicy, parse_max_failures
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.current import checked_control
from pipelines.evaluate.metrics_file import folder_name
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run, targets_of
from pipelines.methods import load_method
from pipelines.methods.base import resolve_config
from pipelines.prepare.stage import Prepared, prepare
from pipelines.report.write import write_report
from pipelines.train.finished import is_summarised, what_is_damaged
from pipelines.train.options import TrainOptions
from pipelines.train.plan import PlannedRun
from pipelines.train.run import train_run
from pipelines.train.trackers import refuse_missing


@dataclass
class ChainResult:
    """Results of the parts of a chain.

    ``made`` counts shards, trained heads and evaluations.
    """

    workspace: str
    made: int = 0
    prepared: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass
class PlannedChain:
    """Plan of the next work of a chain.

    Later stages cannot be planned before the earlier ones are done.

    Attributes:
        todo: work that can be planned now, one line per item.
        then: names of the later stages.
    """

    todo: list[str] = field(default_factory=list)
    then: list[str] = field(default_factory=list)


ONLY = ("prepare", *(name for name, _ in STEPS))
"""Steps of the chain that :func:`run_step` can make alone."""


def run_step(
    cells: Sequence[Cell],
    step: str,
    machine: Machine,
    progress: Progress,
    policy: RunPolicy | None = None,
    *,
    executor: Executor | None = None,
) -> ChainResult:
    """Run one step of :data:`ONLY`, or a share of its shards.

    Args:
        cells: as for :func:`run_chain`; the step is for all of them.
        step: 'prepare', or one whose shards the tasks of a job array share.
        machine: workers, device, network.
        progress: receives the progress of each stage.
        policy: share and locks; the limit on failures is that of the file.
        executor: where shards are made; None = here.

    Raises:
        XmicError: as the single stages do; what was done is kept.
    """
    config, workspace, result = _opened(cells)
    if step == "prepare":
        _prepare_all(workspace, config, progress, result)
        return result
    policy = replace(policy or RunPolicy(), max_failures=parse_max_failures(config.max_failures))
    executor = executor or Local()
    steps = [item for item in _steps(workspace, cells, machine, executor) if item.name == step]
    _make(steps, executor, policy, progress, result)
    return result


def _opened(cells: Sequence[Cell]) -> tuple[Config, Workspace, ChainResult]:
    check_settings(cells)
    config = cells[0].config
    return config, Workspace.open(config.workspace), ChainResult(str(config.workspace))


def _prepare_all(workspace: Workspace, config: Config, progress: Progress, result: ChainResult) -> None:
    for section in config.dataset:
        made = _prepare(workspace, section, progress=progress)
        result.prepared.append(vars(made))
        result.made += made.made


def _steps(workspace: Workspace, cells: Sequence[Cell], machine: Machine, executor: Executor) -> list[Step]:
    found = []
    for name, build in STEPS:
        network = name != "decode"
        chosen = executor.machine(machine, network=network)
        machines = chosen.each() if network else [chosen]
        found.append(Step(name, [partial(build, workspace, cells, one) for one in machines], network))
    return found


def _make(
    steps: Sequence[Step], executor: Executor, policy: RunPolicy, progress: Progress, result: ChainResult
) -> None:
    for item, done in executor.run(steps, policy, progress):
        result.stages.append({**vars(done), "finding": finding(item) if done.made else ""})
        result.made += done.made


def run_chain(
    cells: Sequence[Cell],
    machine: Machine,
    progress: Progress,
    stop: Stop = never,
    *,
    report: bool = True,
    wait_lock_s: float = 0.0,
    executor: Executor | None = None,
) -> ChainResult:
    """Run the chain for one or more cells of a grid.

    First comes what the cells share, once. Then each cell is trained and evaluated, and one report is written.

    Args:
        cells: some or all of :func:`pipelines.chain.grid.read_cells`; at least one.
        machine: workers, device, network.
        progress: receives the progress of each stage.
        stop: returns a context manager within which a training may be asked to save and stop.
        report: write the report at the end.
        wait_lock_s: see :class:`pipelines.engine.run_policy.RunPolicy`.
        executor: where shards are made and cells are trained; None = here.

    Raises:
        XmicError: as the single stages do; what was done is kept.
    """
    config, workspace, result = _opened(cells)
    if not any(cell.config.train for cell in cells):
        progress.note("no [[train]] in the file: nothing is trained")
    if off := without_hands(config):
        progress.note(f"hands = false: no hands are looked for in {', '.join(off)}; methods see full frames only")
    _prepare_all(workspace, config, progress, result)
    policy = RunPolicy(max_failures=parse_max_failures(config.max_failures), wait_lock_s=wait_lock_s)
    executor = executor or Local()
    _make(_steps(workspace, cells, machine, executor), executor, policy, progress, result)
    calls = [
        partial(_train_and_evaluate, workspace, cell.config, training, executor.machine(machine, network=True))
        for cell in cells
        for training in cell.config.train
    ]
    for trained, evaluated, count in executor.call(calls, progress, stop):
        result.runs.append(trained)
        result.evaluations += evaluated
        result.made += count
    if report and any(cell.config.train for cell in cells):
        result.report = write_report(workspace, config.report.name)
    return result


def _train_and_evaluate(
    workspace: Workspace, config: Config, training: TrainOptions, machine: Machine, progress: Progress, stop: Stop
) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    """Train and evaluate a cell.

    Returns:
        The run, its evaluations, and the number of heads and evaluations that were made.
    """
    planned = planned_run(workspace, config, training, machine)
    with stop() as asked:
        trained = train_run(
            workspace,
            planned,
            machine,
            progress,
            checkpoint_minutes=training.checkpoint_minutes,
            stop=asked,
        )
    run = find_run(workspace, planned.name)
    targets, notes = targets_of(workspace, run, config.evaluate.cross, _split_of(config))
    for text in notes:
        progress.note(text)
    chosen = config.evaluate
    evaluated = evaluate(
        workspace, run, targets, machine, progress, allow_mixed=chosen.allow_mixed, control=chosen.control
    )
    made = len(trained["trained"]) + sum(item.made for item in evaluated)
    return trained, [item.as_dict() for item in evaluated], made


def check_settings(cells: Sequence[Cell]) -> None:
    """Refuse wrong settings and missing datasets before any frame is made.

    Raises:
        UsageError: the method, preset or setting is unknown, a value does not fit, a control is for a method without
            an X-MIC vector, a training looks at hands that are switched off, or the package of a tracker is not
            installed.
        UsageError, InputError: see :func:`check_datasets`.
        InputError: see :func:`pipelines.chain.detectors.check_detectors`.
    """
    for cell in cells:
        for training in cell.config.train:
            resolve_config(load_method(training.method), training.preset, training.set)
            refuse_missing(training.log)
            checked_control(cell.config.evaluate.control, {"method": training.method})
            _refuse_hands(cell.config, training)
        check_datasets(cell.config)
        check_detectors(cell.config)


def _refuse_hands(config: Config, training: TrainOptions) -> None:
    """Refuse a training on the hands that the file switches off.

    Vectors of hands may lie in the workspace already; then ``[embed] streams`` says that they are meant.
    """
    off = without_hands(config)
    asked = {"streams": training.streams, "classify": training.classify}
    for name, value in asked.items():
        if off and value in ("hand", "both") and config.embed.streams in (None, "full"):
            raise UsageError(
                f"[[train]] {name} = {value!r}: hands = false switches the hands of {', '.join(off)} off. Leave out "
                "one of the two."
            )


def check_datasets(config: Config) -> None:
    """Refuse unknown datasets and splits before any work is done.

    Raises:
        InputError: a dataset is neither in the file nor prepared in the workspace.
        UsageError: a split is none of train, val and test.
    """
    workspace = Workspace.open(config.workspace)
    named = [("[evaluate] cross", name) for name in config.evaluate.cross]
    for training in config.train:
        target, _, split = (training.target or "").partition(":")
        named += [("[[train]] dataset", training.dataset or ""), ("[[train]] target", target)]
        if split:
            canonical_split(split)
    _split_of(config)
    for place, name in named:
        if name and name not in names_of(config) and not workspace.splits(name):
            known = dict.fromkeys([*names_of(config), *(dataset for dataset, _ in workspace.prepared())])
            raise InputError(
                f"{place}: {name!r} is no [[dataset]] of this file, and none that is prepared in {workspace.root}. "
                f"Known: {', '.join(known)}. Add a [[dataset]] of that name, or correct the name."
            )


def _split_of(config: Config) -> str | None:
    """Return the split to evaluate on, as ``xmic evaluate --split`` takes it."""
    split = config.evaluate.split
    try:
        return None if split is None else canonical_split(split)
    except UsageError as error:
        raise UsageError(f"[evaluate] {error}") from None


def plan_chain(cells: Sequence[Cell], machine: Machine) -> PlannedChain:
    """Plan the next work of :func:`run_chain` without doing it."""
    check_settings(cells)
    config = cells[0].config
    workspace = Workspace.open(config.workspace)
    plan = PlannedChain()
    for section in config.dataset:
        found = _prepare(workspace, section, dry_run=True)
        plan.todo += found.plan
    for position, (_, build) in enumerate(STEPS):
        if plan.todo:
            plan.then = [name for name, _ in STEPS[position:]] + ["train", "evaluate", "report"]
            return plan
        for item in build(workspace, cells, machine):
            plan.todo += [f"{i.unit.path}: {i.state.value}, {i.why}" for i in stage.plan(item).todo]
    if plan.todo:
        plan.then = ["train", "evaluate", "report"]
        return plan
    for cell in cells:
        for training in cell.config.train:
            planned = planned_run(workspace, cell.config, training, machine)
            plan.todo += [f"{planned.folder / label}: not trained yet" for label in _untrained(planned)]
    plan.then = ["evaluate", "report"] if plan.todo else []
    return plan


@dataclass(frozen=True)
class CellState:
    """State of a cell in the workspace.

    Attributes:
        run: name of its run; None while the inputs of the run are missing.
        trained: all its heads are trained.
        evaluated: all its evaluations are done.
    """

    run: str | None = None
    trained: bool = False
    evaluated: bool = False

    @property
    def finished(self) -> bool:
        """True where nothing is left to do."""
        return self.trained and self.evaluated


def state_of(cell: Cell, machine: Machine) -> CellState:
    """Find the state of a cell in the workspace.

    Nothing is computed.

    Raises:
        UsageError, InputError: see :func:`check_settings`.
    """
    check_settings([cell])
    config = cell.config
    workspace = Workspace.open(config.workspace)
    if not config.train:
        return CellState()
    try:
        planned = planned_run(workspace, config, config.train[0], machine)
    except (MissingUpstream, InputError):
        return CellState()
    if _untrained(planned):
        return CellState(planned.name)
    run = find_run(workspace, planned.name)
    try:
        targets, _ = targets_of(workspace, run, config.evaluate.cross, _split_of(config))
    except MissingUpstream:
        return CellState(planned.name, trained=True)
    name = folder_name(planned.name, config.evaluate.control)
    evaluated = all((workspace.evaluation(name, *target) / "metrics.json").is_file() for target in targets)
    return CellState(planned.name, True, evaluated)


def _untrained(planned: PlannedRun) -> list[str]:
    return [
        label
        for label in planned.options.labels
        if not is_summarised(planned.folder / label) or what_is_damaged(planned.folder / label)
    ]


def _prepare(workspace: Workspace, section: DatasetSection, **options: Any) -> Prepared:
    splits = [canonical_split(split) for split in section.split]
    known = workspace.datasets.get(section.name)
    # A section without folders keeps those that the dataset was prepared with.
    roots = section.videos if known and known.roots else roots_of(section)
    options |= {"limit": section.limit, "max_failures": parse_max_failures(section.max_failures)}
    return prepare(workspace, section.name, reader_of(section), roots, splits=splits, **options)
