"""Evaluate a run on each target: predictions, numbers and card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_manifests.schema import Label
from pipelines.engine import stage
from pipelines.engine.environment import versions
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import Workspace
from pipelines.evaluate import run_facts
from pipelines.evaluate.clip_list import ClipList
from pipelines.evaluate.compute_metrics import (
    ComputedMetrics,
    compute_metrics,
    is_epic,
    shared_and_novel,
    vocabularies_of,
)
from pipelines.evaluate.current import checked_control
from pipelines.evaluate.evaluation import Evaluation
from pipelines.evaluate.metrics_file import (
    SCHEMA,
    ClipsFile,
    DatasetSplit,
    Metrics,
    Mixed,
    SharedAndNovel,
    write_metrics,
)
from pipelines.evaluate.options import NO_CONTROL, Control
from pipelines.evaluate.result_card import intervals_of, write_card
from pipelines.evaluate.stage import EvaluateStage
from pipelines.evaluate.submission import Submission, refuse_submission, write_submission
from pipelines.evaluate.trained import TrainedRun
from pipelines.train.protocol import on_target


def evaluate(
    workspace: Workspace,
    run: TrainedRun,
    targets: Sequence[tuple[str, str]],
    machine: Machine,
    progress: Progress,
    *,
    allow_mixed: bool = False,
    control: Control = NO_CONTROL,
    policy: RunPolicy | None = None,
    encoder: str | None = None,
    listed: ClipList | None = None,
    submission: Submission | None = None,
) -> list[Evaluation]:
    """Score a run on each target and write its evaluation.

    The files are predictions.parquet, metrics.json and card.json.

    Args:
        workspace: where the run and the targets are.
        run: what to evaluate.
        targets: (dataset, split) pairs.
        machine: device.
        progress: reports each target.
        allow_mixed: accept a target that was made otherwise than the run's data.
        control: what is altered, if anything.
        policy: locks.
        encoder: as in :class:`EvaluateStage`.
        listed: the clips that the numbers are over. A target without a listed clip keeps all of its own, and a note
            reports it; the scores are those of all clips either way.
        submission: also write the file of the EPIC-KITCHENS-100 challenge.

    Raises:
        MissingUpstream: a target lacks an artifact; names the command.
        InputError: a target was made otherwise than the run's data and ``allow_mixed`` is off; or another version of
            xmic wrote a class list. Also raised where a listed clip is in no target, or a clip to submit has no scores.
        UsageError: the control is unknown, or the method has no X-MIC vector. Also raised for a submission with a list
            of clips, or without exactly one EPIC-KITCHENS-100 target.
    """
    chosen = checked_control(control, run.config)
    _warn_of_versions(run, progress)
    found = [on_target(workspace, dataset, split, run.protocol, allow_mixed=allow_mixed) for dataset, split in targets]
    items = [
        EvaluateStage(workspace, run, dataset, split, target, frames, machine, progress, chosen, encoder=encoder)
        for (dataset, split), (target, frames, _) in zip(targets, found, strict=True)
    ]
    if listed is not None:
        listed.refuse_unknown([set(item.clips.clip_ids) for item in items])
    if submission is not None:
        refuse_submission(workspace, [item.dataset for item in items], listed)
    results = []
    for item, (_, _, mixed) in zip(items, found, strict=True):
        vocabularies = vocabularies_of(item.subject, progress)
        report = stage.run(item, policy, progress)
        only = _listed_of(item, listed)
        predictions = item.predictions(only.ids if only else None)
        temperatures = item.temperatures()
        computed = compute_metrics(item.subject, predictions, vocabularies, temperatures)
        split = shared_and_novel(item.subject, vocabularies)
        file = ClipsFile(sha256=only.sha256, clips=len(predictions.clips.clip_ids)) if only else None
        metrics = _metrics(item, computed, [Mixed(**one) for one in mixed], split, file)
        metrics = metrics.model_copy(update={"intervals": intervals_of(metrics)})
        write_metrics(item.folder, metrics)
        write_card(workspace, item.folder, metrics, predictions.clips)
        if submission is not None and is_epic(item.workspace, item.dataset):
            write_submission(submission, predictions, {label: of.value for label, of in temperatures.items()})
        results.append(Evaluation(metrics, item.folder, report.made))
    return results


def _metrics(
    item: EvaluateStage,
    computed: ComputedMetrics,
    mixed: list[Mixed],
    vocabulary: dict[Label, SharedAndNovel],
    clips_file: ClipsFile | None,
) -> Metrics:
    config, target = item.run.config, item.target
    labels = {
        label: numbers.model_copy(update=run_facts.chosen(item.run.folder / label))
        for label, numbers in computed.labels.items()
    }
    # Left out where it is not asked for: files of ordinary evaluations stay as they were.
    order: dict[str, Any] = {"frame_order": item.control.order} if item.control.order != "own" else {}
    return Metrics(
        schema=SCHEMA,
        run=run_facts.run_facts(config).model_copy(update=run_facts.changes(config)),
        xmic_vector=item.control.vectors,
        source=DatasetSplit(**config["source"]),
        target=DatasetSplit(dataset=item.dataset, split=item.split),
        within=item.subject.within,
        protocol=run_facts.protocol_facts(target, item.frames.plan.slug),
        random_weights=run_facts.random_weights(target),
        pretrained_on=run_facts.pretrained_on(target),
        mixed=mixed,
        vocabulary=vocabulary,
        clips_file=clips_file,
        hand_fallback_rate=run_facts.hand_fallback_rate(item.streams.values()),
        labels=labels,
        actions=computed.actions,
        epic=computed.epic,
        failures=run_facts.failures(item.sources),
        versions=versions("xmic", "torch", "open_clip_torch", "timm", "ultralytics", "av", "numpy", "pyarrow"),
        commands=[item.command_in(None)],
        **order,
    )


def _listed_of(item: EvaluateStage, listed: ClipList | None) -> ClipList | None:
    if listed is None or not listed.ids.isdisjoint(item.clips.clip_ids):
        return listed
    item.progress.note(f"{item.dataset} {item.split}: {listed.path} lists no clip of it; evaluated on all of its clips")
    return None


def _warn_of_versions(run: TrainedRun, progress: Progress) -> None:
    then = {name: value for name, value in run.config["versions"].items() if name != "device"}
    now = versions(*then)
    for name in then:
        if then[name] != now[name]:
            progress.note(f"warning: {run.config['name']} was trained with {name} {then[name]}, here is {now[name]}")
