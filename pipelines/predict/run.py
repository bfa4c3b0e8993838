"""A trained run on new footage, by the very stages that train and evaluate it, in a workspace of its own.

Decoding, hands, vectors and scores are the artifacts that ``evaluate`` makes of a prepared split, so a clip gets the
same scores here as there, to the bit on one machine; and the same call again makes nothing.
"""

from __future__ import annotations

import json
import os
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
from pipelines.engine.machine import Machine
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
    """New footage with everything that a run needs of it.

    Attributes:
        cache: the workspace that holds it.
        footage: videos and clips.
        frames: their frames.
        hands: their boxes; None for a run that does not look at hands.
        policy: which of the boxes count, and how they become a crop.
        vectors: the folders of their vectors.
        made: how many shards were made for it; 0 when all were there.
        problem: too many failures on the way, as a command would end with; None when there were few.
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
    """A trained run, ready for new footage; :func:`load_run` makes it.

    Attributes:
        run: the run.
        home: the workspace it stands in.
        machine: workers, device, network.
        overrides: what the user gave for it.
        policy: how failures are borne.
        progress: told of each stage.
    """

    run: TrainedRun
    home: Workspace
    machine: Machine
    overrides: Overrides
    policy: RunPolicy = field(default_factory=RunPolicy)
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        """Find the run's encoders; nothing is loaded yet.

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
        """Decode new videos, find hands where the run looks at them, and embed all that it needs.

        Args:
            videos: video files.
            segments: a table of the intervals to look at (:func:`pipelines.predict.segments.read_segments`).
            window_s: look at sliding windows of so many seconds instead. Neither: whole files.
            stride_s: from the start of a window to that of the next; ``window_s`` when None.
            cache: the folder to keep it in; one below the run's workspace, named by the videos' contents and the
                clips, when None.

        Raises:
            InputError: a video is missing, or the table or the boxes are wrong.
            UsageError: contradicting choices.
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
        """Choose among words for every clip.

        Args:
            footage: from :meth:`embed`.
            nouns: the nouns to choose from, any words; the classes of the run's own dataset when None.
            verbs: the same for verbs.
            top: how many answers a clip is to have.
            none_below: 'none of these' where the best word's probability is below this. The probability is the
                softmax over the words given of the run's logits, which are cosines times the encoder's scale: it
                says how one word stands against the others of this list, and of a single word it is 1.

        Raises:
            UsageError: a number out of range, words that repeat, or words for a head that the run does not have.
            MissingUpstream: no words, and the run's own classes are not there.
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
        # Boxes of another detector are not put beside those that the run asks for.
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
    """A trained run, ready for new footage.

    Args:
        workspace: the workspace it was trained in; of an exported run the one to work in.
        name: its name or folder, also one of ``xmic export``; the newest run when None.
        encoder: model spec of its encoder, where that is a file: a run knows the file's name and contents only.
        v2: the same for its second encoder.
        detector: another hand detector than the run's; needs ``allow_mixed``.
        weights: the detector's weights.
        boxes: a table of hand boxes of the new videos, for a run that was trained on boxes made elsewhere.
        allow_mixed: accept another detector or precision than the run's.
        machine: workers, device, network; every core of this process and 'auto' when None.
        policy: how many failures are borne.
        progress: told of each stage; silent when None.

    Raises:
        MissingUpstream: there is no such run.
        UsageError: something of the above is missing or given for nothing.
        InputError: weights that are not the run's.
    """
    given = Workspace.open(Path(workspace))
    run = find_run(given, name)
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
        machine or Machine(len(os.sched_getaffinity(0))),
        overrides,
        policy or RunPolicy(),
        progress or Silent(),
    )


def _home(run: TrainedRun, given: Workspace) -> Workspace:
    """A run that is named by its folder may stand in another workspace, or, exported, in none."""
    around = run.folder.parent.parent
    return Workspace.open(around) if (around / SETTINGS).is_file() else given


@dataclass
class _Work:
    """Runs stages one after the other; too many failures in one are kept for the end, since the other clips count."""

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
