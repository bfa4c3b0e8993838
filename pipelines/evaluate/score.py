"""Score predictions of any model by the protocol of an evaluation.

It needs no frames and no vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data_manifests.errors import MissingUpstream, UsageError
from data_manifests.schema import LABELS, Label
from pipelines.engine import stage
from pipelines.engine.clips import Clips, read_clips
from pipelines.engine.command_lines import command_line
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shards import DamagedShard, Layout, read_footer
from pipelines.engine.stage import OpenShard, RunPolicy, Unit
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.calibration import Temperature
from pipelines.evaluate.clip_list import ClipList
from pipelines.evaluate.compute_metrics import Subject, compute_metrics, shared_and_novel, vocabularies_of
from pipelines.evaluate.evaluation import Evaluation
from pipelines.evaluate.given_scores import GivenScores, read_scores
from pipelines.evaluate.metrics_file import SCHEMA, ClipsFile, DatasetSplit, Metrics, Run, write_metrics
from pipelines.evaluate.options import ScoreOptions
from pipelines.evaluate.predictions import read_predictions
from pipelines.evaluate.predictions_file import (
    GIVEN,
    SCORE,
    SCORE_VERSION,
    manifest_inputs,
    predictions_layout,
    predictions_table,
)
from pipelines.evaluate.result_card import intervals_of, write_card
from pipelines.prepare.classes import read_classes


@dataclass(frozen=True)
class ScoreRequest:
    """Score files, model name and target of one ``xmic score``.

    Attributes:
        files: the scores, of one model.
        name: of the model.
        dataset: that the scores are of.
        split: of the dataset.
        source: the dataset that the model was trained on; None where it was not given.
        listed: the clips that the numbers are over; None = all of the split.
    """

    files: Sequence[Path]
    name: str
    dataset: str
    split: str
    source: str | None = None
    listed: ClipList | None = None


@dataclass
class ScoreStage:
    """Stage that writes given scores as ``predictions.parquet``, one row per clip.

    See :class:`pipelines.engine.stage.Stage`.
    """

    workspace: Workspace
    request: ScoreRequest
    clips: Clips
    given: GivenScores
    sides: Mapping[str, Layout] = field(default_factory=dict)

    name = SCORE
    counted = "clips"
    version = SCORE_VERSION

    @property
    def title(self) -> str:
        """The model, the dataset and the split."""
        return f"{self.request.name} on {self.request.dataset} {self.request.split}"

    @property
    def params(self) -> Mapping[str, Any]:
        """Return the scored labels."""
        return {"labels": list(self.given.scores)}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Names of the model, dataset and split, for readers."""
        return {"name": self.request.name, "dataset": self.request.dataset, "split": self.request.split}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of the libraries."""
        return versions("numpy", "pyarrow")

    @property
    def layout(self) -> Layout:
        """Columns of the file, with one score per class of the target."""
        counts = {label: values.shape[1] for label, values in self.given.scores.items()}
        return predictions_layout(list(counts), counts)

    @property
    def folder(self) -> Path:
        """Return the folder ``evaluations/<name>/<dataset>-<split>``."""
        return scored_folder(self.workspace, self.request)

    @property
    def command(self) -> str:
        """Command line that makes the predictions.

        The folders of the given files are left out.
        """
        request = self.request
        files = tuple(Path(file.name) for file in request.files)
        return command_line(
            "score",
            ScoreOptions(
                files=files, dataset=request.dataset, split=request.split, name=request.name, source=request.source
            ),
        )

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Return the sha256 of each given file, by file name."""
        return {file.name: whole_file_sha256(file) for file in self.request.files}

    def units(self) -> list[Unit]:
        """Return one unit, the file of predictions.

        It depends on the given files, the clips and the classes.
        """
        inputs = manifest_inputs(self.workspace, self.request.dataset, self.request.split)
        inputs[GIVEN] = "+".join(sorted(self.sha256.values()))
        return [Unit("predictions", self.folder / "predictions.parquet", inputs, len(self.given.clip_ids))]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Write the scores in the order of the clips."""
        for unit in units:
            place = {clip_id: row for row, clip_id in enumerate(self.clips.clip_ids)}
            rows = np.array([place[clip_id] for clip_id in self.given.clip_ids], np.int64)
            order = rows.argsort()
            scores = {label: values[order] for label, values in self.given.scores.items()}
            with open_shard(unit) as shard:
                shard.write(predictions_table(self.clips, rows[order], scores))
            yield unit


def scored_folder(workspace: Workspace, request: ScoreRequest) -> Path:
    """Return the folder of a model's predictions and numbers."""
    return workspace.evaluation(request.name, request.dataset, request.split)


def score(
    workspace: Workspace, request: ScoreRequest, progress: Progress, policy: RunPolicy | None = None
) -> Evaluation:
    """Evaluate given scores and write predictions.parquet, metrics.json and card.json.

    Nothing is fitted: the temperature is 1, so actions are ranked by the product of the softmax of the given scores.

    Raises:
        UsageError: the name is not valid, or is that of a run.
        MissingUpstream: the split is not prepared.
        InputError: see :func:`pipelines.evaluate.given_scores.read_scores`; a listed clip is not of the split.
    """
    _refuse_name(workspace, request)
    if request.split not in workspace.splits(request.dataset):
        raise MissingUpstream(
            f"{workspace.root}: {request.dataset} has no prepared {request.split} split. Run xmic prepare for it."
        )
    clips = read_clips(workspace, request.dataset, request.split)
    if request.listed is not None:
        request.listed.refuse_unknown([set(clips.clip_ids)])
    names: dict[Label, list[str]] = {
        label: read_classes(workspace, request.dataset, label).column("name").to_pylist() for label in LABELS
    }
    place = f"{request.dataset} {request.split}"
    given = read_scores(request.files, names, set(clips.clip_ids), place)
    item = ScoreStage(workspace, request, clips, given)
    subject = Subject(workspace, request.source, request.dataset, request.split, list(given.scores))
    vocabularies = vocabularies_of(subject, progress)
    report = stage.run(item, policy, progress)
    official = clips.only(request.listed.ids) if request.listed else clips
    file = item.folder / "predictions.parquet"
    predictions = read_predictions(file, official, {label: len(names[label]) for label in given.scores})
    temperatures = {label: Temperature() for label in given.scores}
    computed = compute_metrics(subject, predictions, vocabularies, temperatures)
    listed = request.listed
    metrics = Metrics(
        schema=SCHEMA,
        run=_run_facts(request),
        xmic_vector="own",
        source=DatasetSplit(dataset=request.source, split="train") if request.source else None,
        target=DatasetSplit(dataset=request.dataset, split=request.split),
        within=subject.within,
        protocol={},
        random_weights=[],
        pretrained_on={},
        mixed=[],
        vocabulary=shared_and_novel(subject, vocabularies),
        clips_file=ClipsFile(sha256=listed.sha256, clips=len(official.clip_ids)) if listed else None,
        hand_fallback_rate=None,
        labels=computed.labels,
        actions=computed.actions,
        epic=computed.epic,
        failures={},
        given_files=item.sha256,
        versions=versions("xmic", "numpy", "pyarrow"),
        commands=[item.command],
    )
    metrics = metrics.model_copy(update={"intervals": intervals_of(metrics)})
    write_metrics(item.folder, metrics)
    write_card(workspace, item.folder, metrics, official)
    return Evaluation(metrics, item.folder, report.made)


def _run_facts(request: ScoreRequest) -> Run:
    """State what is known of the model; the rest is None."""
    return Run(
        name=request.name,
        method=f"scored: {request.name}",
        preset=None,
        seed=None,
        key=None,
        recipe=None,
        epochs=None,
        select="last",
        source_val=None,
        select_target=None,
        leaking=False,
    )


def _refuse_name(workspace: Workspace, request: ScoreRequest) -> None:
    name = request.name
    if not re.fullmatch(r"[\w][\w.+ -]*", name) or name == "latest":
        raise UsageError(f"--name {name!r}: expected letters, digits, '.', '_', '+', '-' or spaces, not a path.")
    taken = workspace.run(name).is_dir()
    file = scored_folder(workspace, request) / "predictions.parquet"
    if file.is_file() and not taken:
        try:
            taken = read_footer(file).stage != SCORE
        except DamagedShard:
            return
    if taken:
        raise UsageError(f"--name {name}: a run of {workspace.root} has this name; expected another one.")
