"""Run the stages of a trained run on new footage.

The stages are those of training and evaluation, in a workspace of the footage's own. Frames, boxes, vectors and scores
are the artifacts that ``evaluate`` makes of a prepared split. So a clip gets the same scores here as there, to the bit
on one machine, and the same call again makes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import MissingUpstream, TooManyFailures, UsageError
from data_manifests.schema import LABELS, Label
from pipelines.decode.stage import DecodeStage
from pipelines.embed.encoders.spec import POCKET
from pipelines.embed.stage import LazyEncoder
from pipelines.embed.text import TextStage
from pipelines.engine import stage
from pipelines.engine.digest import digest_json
from pipelines.engine.machine import Machine, usable_cores
from pipelines.engine.progress import Progress, Silent
from pipelines.engine.shards import read_footer
from pipelines.engine.stage import RunPolicy, Stage
from pipelines.engine.workspace import SETTINGS, Workspace
from pipelines.evaluate.exported import CLASSES
from pipelines.evaluate.stage import EvaluateStage
from pipelines.evaluate.trained import TrainedRun, find_run
from pipelines.hands.crops import CropPolicy
from pipelines.hands.stage import HandsStage
from pipelines.predict.answers import Answers
from pipelines.predict.as_trained import (
    check_overrides,
    embed_stages,
    encoders_of,
    frame_plan,
    hands_stage,
    made_by,
)
from pipelines.predict.footage import DATASET, SPLIT, ClipRule, Footage, FootageReader, find_footage
from pipelines.predict.options import Overrides
from pipelines.predict.words import outside_pocket, pocket_warning, refuse_repeated, word_classes
from pipelines.prepare.classes import read_classes
from pipelines.prepare.stage import prepare
from pipelines.train.protocol import on_target


@dataclass(frozen=True)
class EmbeddedFootage:
    """New footage with the artifacts that a run needs.

    Attributes:
        cache: the workspace that holds it.
        footage: videos and clips.
        frames: decode stage of their frames.
        hands: stage of their boxes; None for a run without a hand stream.
        policy: which boxes count, and how they become a crop.
        vectors: folders of their vectors.
        made: number of shards that were made; 0 if all were there.
        problem: the error of a stage with too many failures, which a command ends with; None if there was none.
    """

    cache: Workspace
    footage: Footage
    frames: DecodeStage
    hands: HandsStage | None
    policy: CropPolicy | None
    vectors: Sequence[Path]
    made: int
    problem: TooManyFailures | None


@dataclass
class Predictor:
    """Trained run, ready for new footage; made by :func:`load_run`.

    Attributes:
        run: the run.
        home: the workspace of the run.
        machine: workers, device, network.
        overrides: options that the user gave in place of the run's.
        policy: how many failures are accepted.
        progress: receives each stage.
    """

    run: TrainedRun
    home: Workspace
    machine: Machine
    overrides: Overrides
    policy: RunPolicy = field(default_factory=RunPolicy)
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        """Find the run's encoders without loading them.

        Raises:
            InputError, UsageError: see :func:`pipelines.predict.as_trained.encoders_of`.
        """
        check_overrides(self.run, self.home, self.overrides, self.machine)
        self._encoders: dict[str, LazyEncoder] = encoders_of(self.run, self.home, self.overrides, self.machine)

    def embed(
        self,
        videos: Sequence[Path | str],
        *,
        segments: Path | str | None = None,
        window_s: float | None = None,
        stride_s: float | None = None,
        cache: Path | str | None = None,
    ) -> EmbeddedFootage:
        """Decode new videos, detect hands and embed the needed streams.

        Hands are detected only for a run with a hand stream.

        Args:
            videos: video files.
            segments: a table of the intervals to look at (:func:`pipelines.predict.segments.read_segments`).
            window_s: length of sliding windows, seconds, in place of ``segments``. Without both, a clip is a whole
                file.
            stride_s: seconds from the start of a window to the start of the next; None = ``window_s``.
            cache: folder of the artifacts. None = a folder below the run's workspace, named by the videos' contents
                and the clips.

        Raises:
            InputError: a video is missing, or the table or the boxes are wrong.
            UsageError: options that contradict each other.
        """
        rule = ClipRule(Path(segments) if segments is not None else None, window_s, stride_s)
        footage = find_footage(videos, rule, self.home.probes, self.machine.workers, self.progress)
        space = Workspace.open(Path(cache) if cache is not None else self._cache(footage))
        prepare(space, DATASET, FootageReader(footage), footage.roots, progress=self.progress)
        frames = DecodeStage(space, DATASET, SPLIT, frame_plan(self.run.protocol), workers=self.machine.workers)
        work = _Work(self.policy, self.progress)
        work.do(frames)
        hands = hands_stage(space, frames, self.run, self.home, self.overrides, self.machine)
        if hands is not None:
            work.do(hands)
        boxes = hands.folder if hands is not None else None
        streams = embed_stages(frames, self.run, self._encoders, boxes, self.machine.workers)
        for item in streams:
            work.do(item)
        vectors = [item.folder for item in streams]
        policy = next((item.policy for item in streams if item.policy is not None), None)
        return EmbeddedFootage(space, footage, frames, hands, policy, vectors, work.made, work.problem)

    def predict(
        self,
        footage: EmbeddedFootage,
        *,
        nouns: Sequence[str] | None = None,
        verbs: Sequence[str] | None = None,
        top: int = 5,
        none_below: float | None = None,
    ) -> Answers:
        """Score words for every clip and keep the best.

        Args:
            footage: from :meth:`embed`.
            nouns: the nouns to choose from, any words; None = the classes of the run's own dataset.
            verbs: the verbs to choose from, likewise.
            top: number of answers per clip.
            none_below: a clip gets 'none of these' if its best word's probability is below this. The probability is
                the softmax of the run's logits (cosines times the encoder's logit scale) over the given words. So it
                compares a word with the others of this list, and is 1 for a single word.

        Raises:
            UsageError: a number out of range, words that repeat, or words for a head that the run does not have.
            MissingUpstream: no words are given, and the run's own classes are missing.
            InputError: boxes, encoder or precision are not the run's and were not allowed to differ.
        """
        if top < 1 or (none_below is not None and not 0 < none_below <= 1):
            raise UsageError(f"--top {top} --none-below {none_below}: expected 1 or more, and a share of 1 above 0.")
        space, protocol = footage.cache, self.run.protocol
        classes = {label: self._classes(label, {"noun": nouns, "verb": verbs}[label]) for label in LABELS}
        reader = FootageReader(footage.footage, classes)
        prepare(space, DATASET, reader, footage.footage.roots, progress=self.progress)
        work = _Work(self.policy, self.progress)
        for label in self.run.heads:
            lazy = self._encoders[protocol.encoder]
            work.do(TextStage(space, DATASET, label, lazy, protocol.prompt, protocol.names))
        target, frames, mixed = on_target(space, DATASET, SPLIT, protocol, allow_mixed=self.overrides.allow_mixed)
        item = EvaluateStage(space, self.run, DATASET, SPLIT, target, frames, self.machine, self.progress)
        work.do(item)
        return Answers(
            run=self.run.config["name"],
            cache=space,
            frames=frames,
            failures=[frames.folder, *([footage.hands.folder] if footage.hands else []), *footage.vectors],
            predictions=item.folder / "predictions.parquet",
            digest=read_footer(item.folder / "predictions.parquet").digest,
            names={label: classes[label].column("name").to_pylist() for label in self.run.heads},
            top=top,
            none_below=none_below,
            warnings=[*self._warnings(classes), *_mixed_lines(mixed)],
            made=footage.made + work.made,
            problem=footage.problem or work.problem,
        )

    def _cache(self, footage: Footage) -> Path:
        overrides = self.overrides
        # Boxes of another detector go into another workspace than those of the run's own.
        other = [overrides.detector, *(path and path.name for path in (overrides.weights, overrides.boxes))]
        name = digest_json([footage.digest(self.home.file_digests), other if overrides.allow_mixed else None])
        return self.home.cache("predict", name[:16])

    def _classes(self, label: Label, words: Sequence[str] | None) -> pa.Table:
        if words is not None:
            if label not in self.run.heads:
                raise UsageError(f"--{label}s: {self.run.config['name']} has no {label} head.")
            refuse_repeated(label, words)
            return word_classes(words)
        exported = self.run.folder / label / CLASSES
        if exported.is_file():
            return word_classes(json.loads(exported.read_text(encoding="utf-8")))
        source = self.run.config["source"]["dataset"]
        try:
            return read_classes(self.home, source, label)
        except MissingUpstream as error:
            if label not in self.run.heads:
                return word_classes([])
            raise MissingUpstream(
                f"no {label}s to choose from: {error} Or give your own words: --{label}s FILE"
            ) from None

    def _warnings(self, classes: Mapping[Label, pa.Table]) -> list[str]:
        made = made_by(self.run.protocol, self.run.protocol.encoder)
        found = []
        if made["spec"] == POCKET:
            for label in self.run.heads:
                strange = outside_pocket(label, classes[label].column("name").to_pylist())
                found += [pocket_warning(label, strange)] if strange else []
        if made.get("random_weights"):
            found.append(f"warning: {self.run.protocol.encoder} has random weights; these answers mean nothing")
        return found


def load_run(
    workspace: Path | str,
    name: str | None = None,
    *,
    encoder: str | None = None,
    v2: str | None = None,
    detector: str | None = None,
    weights: Path | str | None = None,
    boxes: Path | str | None = None,
    allow_mixed: bool = False,
    machine: Machine | None = None,
    policy: RunPolicy | None = None,
    progress: Progress | None = None,
) -> Predictor:
    """Load a trained run for use on new footage.

    Args:
        workspace: the workspace that the run was trained in; for an exported run, the workspace to work in.
        name: name or folder of the run, also a folder of ``xmic export`` or its address on the Hugging Face hub,
            'hf://owner/repo'; None = the newest run.
        encoder: model spec of the run's encoder, needed if that is a file: a run records the file's name and digest
            only.
        v2: model spec of the second encoder, likewise.
        detector: another hand detector than the run's; needs ``allow_mixed``.
        weights: the detector's weights.
        boxes: a table of hand boxes of the new videos, for a run that was trained on boxes made elsewhere.
        allow_mixed: accept another detector or precision than the run's.
        machine: workers, device, network; None = every core of this process and device 'auto'.
        policy: how many failures are accepted.
        progress: receives each stage; None = silent.

    Raises:
        MissingUpstream: there is no such run.
        UsageError: an argument is missing, or is given though the run does not need it.
        InputError: the weights are not the run's.
    """
    given = Workspace.open(Path(workspace))
    run = find_run(given, name, offline=machine is not None and machine.offline)
    overrides = Overrides(
        encoder,
        v2,
        detector,
        Path(weights) if weights is not None else None,
        Path(boxes) if boxes is not None else None,
        allow_mixed,
    )
    return Predictor(
        run,
        _home(run, given),
        machine or Machine(usable_cores()),
        overrides,
        policy or RunPolicy(),
        progress or Silent(),
    )


def _home(run: TrainedRun, given: Workspace) -> Workspace:
    """Return the workspace of a run.

    A run that is named by its folder may lie in another workspace than the given one. An exported run may lie in none;
    then it is the given one.
    """
    around = run.folder.parent.parent
    return Workspace.open(around) if (around / SETTINGS).is_file() else given


@dataclass
class _Work:
    """Runs stages one after the other.

    The error of a stage with too many failures is kept for the end, so that the other clips still get answers.
    """

    policy: RunPolicy
    progress: Progress
    made: int = 0
    problem: TooManyFailures | None = None

    def do(self, item: Stage) -> None:
        self.made += len(stage.plan(item, self.policy).todo)
        try:
            stage.run(item, self.policy, self.progress)
        except TooManyFailures as error:
            self.problem = self.problem or error


def _mixed_lines(mixed: Sequence[dict[str, Any]]) -> list[str]:
    return [f"warning: mixed {item['what']}: run {item['run']}, here {item['target']}" for item in mixed]


__all__ = ["EmbeddedFootage", "Predictor", "load_run"]
