"""Run the stages of a trained run on new footage.

The stages are those of training and evaluation, in a workspace of the footage's own. Frames, boxes, vectors and scores
are the artifacts that ``evaluate`` makes of a prepared split. So a clip gets the same scores here as there, to the bit
on one machine, and the same call again makes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_manifests.errors import MissingUpstream, TooManyFailures, UsageError
from data_manifests.schema import LABELS, Label
from pipelines.chain.executor import Executor, Local, Step
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
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.exported import CLASSES, exported_names
from pipelines.evaluate.stage import EvaluateStage
from pipelines.evaluate.trained import TrainedRun
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
from pipelines.predict.frames import Frames
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
        encoder: the encoder that looks at the crops, or at the frames.
        vectors: folders of their vectors.
        made: number of shards that were made; 0 if all were there.
        problem: the error of a stage with too many failures, which a command ends with; None if there was none.
    """

    cache: Workspace
    footage: Footage
    frames: DecodeStage
    hands: HandsStage | None
    policy: CropPolicy | None
    encoder: LazyEncoder
    vectors: Sequence[Path]
    made: int
    problem: TooManyFailures | None


@dataclass
class Predictor:
    """Run ready for new footage; see :mod:`pipelines.predict.load`.

    Attributes:
        run: the run.
        home: the workspace of the run.
        machine: workers, device, network.
        overrides: options that the user gave in place of the run's.
        policy: how many failures are accepted.
        progress: receives each stage.
        executor: where frames, boxes and vectors are made.
    """

    run: TrainedRun
    home: Workspace
    machine: Machine
    overrides: Overrides
    policy: RunPolicy = field(default_factory=RunPolicy)
    progress: Progress = field(default_factory=Silent)
    executor: Executor = field(default_factory=Local)

    def __post_init__(self) -> None:
        """Find the run's encoders without loading them.

        Raises:
            InputError, UsageError: see :func:`pipelines.predict.as_trained.encoders_of`.
        """
        self._networks = self.executor.machine(self.machine, network=True)
        check_overrides(self.run, self.home, self.overrides, self._networks)
        self._encoders: dict[str, LazyEncoder] = encoders_of(self.run, self.home, self.overrides, self._networks)

    def embed(
        self,
        videos: Sequence[Path | str | Frames],
        *,
        segments: Path | str | None = None,
        window_s: float | None = None,
        stride_s: float | None = None,
        fps: float | None = None,
        truth: Path | str | None = None,
        cache: Path | str | None = None,
    ) -> EmbeddedFootage:
        """Decode new videos, detect hands and embed the needed streams.

        Hands are detected only for a run with a hand stream.

        Args:
            videos: video files, or frames as arrays.
            segments: a table of the intervals to look at (:func:`pipelines.predict.segments.read_segments`).
            window_s: length of sliding windows, seconds, in place of ``segments``. Without both, a clip is a whole
                file.
            stride_s: seconds from the start of a window to the start of the next; None = ``window_s``.
            fps: frames per second of the videos, for a table with times in frames.
            truth: a table in the form of ``segments``, with true nouns and verbs to be drawn by :func:`annotate
                <pipelines.predict.annotate.annotate>`. None = the columns noun and verb of ``segments``.
            cache: folder of the artifacts. None = a folder below the run's workspace, named by the videos' contents
                and the clips.

        Raises:
            InputError: a video is missing, or the table or the boxes are wrong.
            UsageError: options that contradict each other, or two videos of one name.
        """
        tables = [None if table is None else Path(table) for table in (segments, truth)]
        rule = ClipRule(tables[0], window_s, stride_s, fps, tables[1])
        footage = find_footage(
            videos, rule, self.home.probes, self.machine.workers, self.progress, self.home.cache("frames")
        )
        space = Workspace.open(Path(cache) if cache is not None else self._cache(footage))
        prepare(space, DATASET, FootageReader(footage), footage.roots, progress=self.progress)
        workers = self.executor.machine(self.machine, network=False).workers
        frames = DecodeStage(space, DATASET, SPLIT, frame_plan(self.run.protocol), workers=workers)
        work = _Work(self.policy, self.progress, self.executor)
        work.do(frames, network=False)
        hands = hands_stage(space, frames, self.run, self.home, self.overrides, self._networks)
        if hands is not None:
            work.do(hands)
        boxes = hands.folder if hands is not None else None
        streams = embed_stages(frames, self.run, self._encoders, boxes, self._networks.workers)
        for item in streams:
            work.do(item)
        vectors = [item.folder for item in streams]
        shown = next((item for item in streams if item.policy is not None), streams[0])
        return EmbeddedFootage(
            space, footage, frames, hands, shown.policy, shown.encoder, vectors, work.made, work.problem
        )

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
            nouns: the nouns to choose from, any words; None = the classes of the run's own dataset. Zero-shot
                prediction has no classes: None leaves the nouns out.
            verbs: the verbs to choose from, likewise.
            top: number of answers per clip.
            none_below: a clip gets 'none of these' if its best word's probability is below this. The probability is
                the softmax of the run's logits (cosines times the encoder's logit scale) over the given words. So it
                compares a word with the others of this list, and is 1 for a single word.

        Raises:
            UsageError: a number out of range, words that repeat, words for a head that the run does not have, or no
                words for zero-shot prediction.
            MissingUpstream: no words are given, and the run's own classes are missing.
            InputError: boxes, encoder or precision are not the run's and were not allowed to differ.
        """
        if top < 1 or (none_below is not None and not 0 < none_below <= 1):
            raise UsageError(f"--top {top} --none-below {none_below}: expected 1 or more, and a share of 1 above 0.")
        space, protocol = footage.cache, self.run.protocol
        run, classes = self._choice(nouns, verbs)
        reader = FootageReader(footage.footage, classes)
        prepare(space, DATASET, reader, footage.footage.roots, progress=self.progress)
        work = _Work(self.policy, self.progress, self.executor)
        for label in run.heads:
            lazy = self._encoders[protocol.encoder]
            work.do(TextStage(space, DATASET, label, lazy, protocol.prompt, protocol.names))
        target, frames, mixed = on_target(space, DATASET, SPLIT, protocol, allow_mixed=self.overrides.allow_mixed)
        item = EvaluateStage(space, run, DATASET, SPLIT, target, frames, self.machine, self.progress)
        work.do_here(item)
        return Answers(
            run=self.run.config["name"],
            cache=space,
            frames=frames,
            failures=[frames.folder, *([footage.hands.folder] if footage.hands else []), *footage.vectors],
            predictions=item.folder / "predictions.parquet",
            digest=read_footer(item.folder / "predictions.parquet").digest,
            names={label: classes[label].column("name").to_pylist() for label in run.heads},
            top=top,
            none_below=none_below,
            warnings=[*self._warnings(classes), *_mixed_lines(mixed)],
            made=footage.made + work.made,
            problem=footage.problem or work.problem,
        )

    @property
    def trained(self) -> bool:
        """False for zero-shot prediction, which has no dataset of its own."""
        return self.run.config["source"]["dataset"] is not None

    def check_words(self, nouns: Sequence[str] | None = None, verbs: Sequence[str] | None = None) -> None:
        """Refuse words that cannot be predicted, before anything is decoded.

        Args:
            nouns: as in :meth:`predict`.
            verbs: likewise.

        Raises:
            UsageError, MissingUpstream: see :meth:`predict`.
        """
        self._choice(nouns, verbs)

    def _choice(
        self, nouns: Sequence[str] | None, verbs: Sequence[str] | None
    ) -> tuple[TrainedRun, dict[Label, pa.Table]]:
        """Return the run with the heads to use, and label → words as a class list."""
        words: dict[Label, Sequence[str] | None] = {"noun": nouns, "verb": verbs}
        run = self.run if self.trained else self._of_words(words)
        return run, {label: self._classes(label, words[label]) for label in LABELS}

    def _of_words(self, words: Mapping[Label, Sequence[str] | None]) -> TrainedRun:
        """Return the zero-shot run with the heads that there are words for."""
        heads = {label: head for label, head in self.run.heads.items() if words[label] is not None}
        if not heads:
            raise UsageError(
                "no words to choose from: zero-shot prediction has no classes of its own. Give nouns (--noun cup "
                '--noun kettle, or --nouns FILE), verbs (--verb "pick up", or --verbs FILE) or both.'
            )
        return replace(self.run, heads=heads)

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
        if not self.trained:
            return word_classes([])
        exported = self.run.folder / label / CLASSES
        if exported.is_file():
            return word_classes(exported_names(exported))
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


@dataclass
class _Work:
    """Runs stages one after the other.

    The error of a stage with too many failures is kept for the end, so that the other clips still get answers.
    """

    policy: RunPolicy
    progress: Progress
    executor: Executor = field(default_factory=Local)
    made: int = 0
    problem: TooManyFailures | None = None

    def do_here(self, item: Stage) -> None:
        """Run a small stage on this machine."""
        self._do(Local(), item, network=True)

    def do(self, item: Stage, *, network: bool = True) -> None:
        """Run a stage where the work is done."""
        self._do(self.executor, item, network)

    def _do(self, executor: Executor, item: Stage, network: bool) -> None:
        self.made += len(stage.plan(item, self.policy).todo)
        try:
            for _ in executor.run([Step(item.name, [lambda: [item]], network)], self.policy, self.progress):
                pass
        except TooManyFailures as error:
            self.problem = self.problem or error


def _mixed_lines(mixed: Sequence[dict[str, Any]]) -> list[str]:
    return [f"warning: mixed {item['what']}: run {item['run']}, here {item['target']}" for item in mixed]
