"""Find the status of runs and of their evaluations."""

from __future__ import annotations

from pathlib import Path

from data_manifests.errors import InputError, MissingUpstream, UsageError
from data_manifests.schema import LABELS
from pipelines.chain.stage_status import Recorded, StageStatus
from pipelines.engine.command_lines import command_line, in_workspace
from pipelines.engine.inspection import Inspection, State, Unit, inspect
from pipelines.engine.locks import holder_of
from pipelines.engine.shards import known_footer
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.current import (
    EVALUATE,
    EVALUATE_VERSION,
    checked_control,
    evaluation_inputs,
    evaluation_params,
)
from pipelines.evaluate.metrics_file import METRICS, parse_folder_name, read_metrics
from pipelines.evaluate.options import ScoreOptions
from pipelines.evaluate.predictions_file import SCORE, SCORE_VERSION, manifest_inputs
from pipelines.evaluate.result_card import CARD, read_card
from pipelines.evaluate.run_config import read_config
from pipelines.evaluate.trained import find_run
from pipelines.train.finished import (
    CONFIG,
    LOG,
    SUMMARY,
    is_log_damaged,
    is_summarised,
    what_is_damaged,
    what_it_learned_from_has_changed,
)
from pipelines.train.protocol import on_target


def run_status(workspace: Workspace, run: Path, verify: bool) -> StageStatus:
    """Count the heads of a run by state."""
    result = StageStatus("train", "", "", run.name, str(run))
    for label in LABELS:
        head = run / label
        if not head.is_dir():
            continue
        damage = _damage(head) if verify else None
        changed = what_it_learned_from_has_changed(workspace, head)
        if damage:
            result.damaged += 1
            result.why[label] = damage
        elif changed:
            result.stale += 1
            result.why[label] = f"the clips or labels of {changed} have changed since; xmic train makes a new run"
        elif is_summarised(head):
            result.done += 1
        else:
            result.missing += 1
            result.why[label] = _why_unfinished(head)
    return result


def _damage(head: Path) -> str | None:
    """Read all files of a finished head, and describe the first damage."""
    if not is_summarised(head):
        return None
    damage = what_is_damaged(head)
    if damage is None:
        try:
            read_config(head / CONFIG, own_code=True)
        except InputError as error:
            return str(error)
        if is_log_damaged(head):
            again = f"remove {SUMMARY} beside it to train the head again"
            return f"{head / LOG}: not the log that the head ended with; {again}"
    return damage and f"{damage}; the same xmic train trains it again"


def _why_unfinished(head: Path) -> str:
    holder = holder_of(head)
    if holder:
        return f"{holder} trains it"
    return "stopped, goes on with the same command" if any(head.rglob("state.pt")) else "not trained yet"


def evaluation_status(workspace: Workspace, file: Path, verify: bool) -> StageStatus:
    """Find whether an evaluation's predictions are up to date.

    They are compared with the run as it is now; given scores are compared with the manifests.
    """
    name, (dataset, _, split) = file.parent.parent.name, file.parent.name.rpartition("-")
    made = known_footer(file)
    scored = made is not None and made.stage == SCORE
    result = StageStatus(SCORE if scored else "evaluate", dataset, split, name, str(file.parent))
    if scored:
        command = command_line("score", ScoreOptions(files=(Path("FILE"),), dataset=dataset, split=split, name=name))
    else:
        run, control = parse_folder_name(name)
        # The value may be a word that is refused.
        option = [word for key, value in control.options.items() for word in (f"--{key.replace('_', '-')}", value)]
        command = command_line("evaluate", None, run, "--cross", dataset, *option)
    try:
        if made and scored:
            # Only the digest of the given files is here; clips and classes may have changed since.
            unit = Unit(file.name, file, manifest_inputs(workspace, dataset, split))
            item = inspect(Recorded(SCORE, SCORE_VERSION, made.params), unit, as_recorded=True)
        else:
            item = _of_run(workspace, file, name, dataset, split)
    except (FileNotFoundError, InputError, MissingUpstream, UsageError) as error:
        item = Inspection(Unit(file.name, file, {}), State.STALE, str(error))
    if verify and item.state is State.DONE:
        item = _with_numbers(item)
    return result.count([item], f"{command} {in_workspace(workspace.root)}", verify)


def _with_numbers(item: Inspection) -> Inspection:
    """Read the numbers and the card beside predictions; damage is that of the evaluation."""
    folder = item.unit.path.parent
    try:
        read_metrics(folder / METRICS)
        read_card(folder / CARD)
    except FileNotFoundError as error:
        return Inspection(item.unit, State.MISSING, f"{error.filename} is missing")
    except InputError as error:
        return Inspection(item.unit, State.DAMAGED, str(error))
    return item


def _of_run(workspace: Workspace, file: Path, name: str, dataset: str, split: str) -> Inspection:
    run, control = parse_folder_name(name)
    found = find_run(workspace, run)
    target, frames, _ = on_target(workspace, dataset, split, found.protocol, allow_mixed=True)
    params = evaluation_params(found, target, checked_control(control, found.config))
    inputs = evaluation_inputs(workspace, found, dataset, split, target, frames)
    return inspect(Recorded(EVALUATE, EVALUATE_VERSION, params), Unit(file.name, file, inputs))
