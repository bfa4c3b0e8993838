"""Show clips with their frames and the answers of some models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from data_manifests.errors import MissingUpstream
from data_manifests.schema import LABELS, Label
from pipelines.engine.clips import read_clips
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import DatasetSplit, Metrics
from pipelines.prepare.classes import read_classes
from pipelines.prepare.vocabulary import vocabulary_of
from pipelines.report.choose import by_hash, fair_shares, in_turn
from pipelines.report.shown_models import Answers, Model, answers_of, pictures_of, targets_of
from pipelines.report.strips import Strip, strips, within_budget

MOST_CLIPS = 60
"""Most clips of a gallery."""
_BUDGET = 9_000_000
_BEST = 5


@dataclass(frozen=True)
class Bar:
    """Share that a model gives to a class.

    Attributes:
        model: number of the model.
        percent: softmax of its scores.
        best: whether it is the model's answer.
    """

    model: int
    percent: float
    best: bool


@dataclass(frozen=True)
class AnswerRow:
    """Class among the best answers, with a bar for each model."""

    name: str
    truth: bool
    bars: Sequence[Bar]


@dataclass(frozen=True)
class LabelAnswers:
    """Answers for one label of a clip.

    Attributes:
        label: noun or verb.
        truth: name of the right class.
        rows: the five best answers of all models together, and the right one.
        right: number of a model → whether its answer is right.
        novel: numbers of the models whose training dataset has no class of this name.
        most: percent of the longest bar.
    """

    label: Label
    truth: str
    rows: Sequence[AnswerRow]
    right: Mapping[int, bool]
    novel: Sequence[int]
    most: float


@dataclass(frozen=True)
class GalleryClip:
    """Clip of a gallery.

    Attributes:
        target: where it is from.
        clip_id: of the clip.
        narration: '' where there is none.
        start_s: in seconds of its video.
        stop_s: in seconds of its video; None for the end of the video.
        answers: of each label.
        tokens: what the filters find it by.
        strip: its pictures; None where they are not in the workspace any more.
    """

    target: DatasetSplit
    clip_id: str
    narration: str
    start_s: float
    stop_s: float | None
    answers: Sequence[LabelAnswers]
    tokens: str
    strip: Strip | None


@dataclass(frozen=True)
class Gallery:
    """Clips with the answers of some models.

    Attributes:
        models: that answered; a bar has the colour of its model's number.
        clips: grouped by target.
        targets: of the clips.
        classes: label → (name, number in the tokens) of the right classes, sorted by name.
        compared: the two models between which an answer is changed; None with one model.
    """

    models: Sequence[Model]
    clips: Sequence[GalleryClip]
    targets: Sequence[DatasetSplit]
    classes: Mapping[Label, Sequence[tuple[str, int]]]
    compared: tuple[Model, Model] | None


@dataclass(frozen=True)
class _Target:
    """All that is known of the answers on one target."""

    place: DatasetSplit
    names: Mapping[Label, Sequence[str]]
    answers: Mapping[Label, Mapping[int, Answers]]
    novel: Mapping[Label, Mapping[int, frozenset[int]]]

    def changed(self, label: Label, clip_id: str) -> bool | None:
        """Whether the second model is right where the first is not; None where both are right or wrong."""
        of = self.answers[label]
        if len(of) < 2 or min(of) > 0 or 1 not in of or not all(clip_id in of[model].truth for model in (0, 1)):
            return None
        first, second = (of[model].right(clip_id) for model in (0, 1))
        return None if first == second else second

    def novel_to(self, label: Label, clip_id: str) -> list[int]:
        return [
            model
            for model, numbers in self.novel[label].items()
            if self.answers[label][model].truth.get(clip_id) in numbers
        ]


def gallery(workspace: Workspace, models: Sequence[Model]) -> Gallery:
    """Choose clips so that each filter has some, and make their strips.

    At most 60 clips are chosen by the hash of their ids, so the same evaluations give the same clips.

    Args:
        workspace: where frames, boxes and class names are.
        models: see :func:`pipelines.report.shown_models.shown_models`.

    Raises:
        DamagedShard: predictions, frames or boxes are damaged on disk.
    """
    found = [target for place in targets_of(models) if (target := _target(workspace, models, place)) is not None]
    groups = [_groups(target) for target in found]
    shares = fair_shares([len({clip for group in of for clip in group}) for of in groups], MOST_CLIPS)
    numbers: dict[Label, dict[str, int]] = {label: {} for label in LABELS}
    clips: list[GalleryClip] = []
    for target, of, share in zip(found, groups, shares, strict=True):
        order = in_turn(of, share)
        made = _strips(workspace, models, target.place, order)
        kept = within_budget(made, order, _BUDGET // len(found))
        clips += _clips(workspace, target, [one for one in order if one in kept or one not in made], kept, numbers)
    shown = list(dict.fromkeys(clip.target for clip in clips))
    classes = {label: sorted(of.items()) for label, of in numbers.items() if of}
    return Gallery(models, clips, shown, classes, (models[0], models[1]) if len(models) > 1 else None)


def _target(workspace: Workspace, models: Sequence[Model], place: DatasetSplit) -> _Target | None:
    names, answers, novel = {}, {}, {}
    for label in LABELS:
        there = {
            model.number: model.on[place]
            for model in models
            if place in model.on and label in model.on[place][0].labels
        }
        if not there:
            continue
        try:
            names[label] = read_classes(workspace, place.dataset, label).column("name").to_pylist()
        except MissingUpstream:
            return None
        answers[label] = {number: answers_of(folder, label) for number, (_, folder) in there.items()}
        novel[label] = {number: _novel(workspace, metrics, label) for number, (metrics, _) in there.items()}
    return _Target(place, names, answers, novel) if names else None


def _novel(workspace: Workspace, metrics: Metrics, label: Label) -> frozenset[int]:
    """Find the classes of the target that the training dataset of a model does not have."""
    source = metrics.source
    if source is None or metrics.within or metrics.run.method == "zero-shot" or not workspace.splits(source.dataset):
        return frozenset()
    vocabulary = vocabulary_of(workspace, source.dataset, metrics.target.dataset, label)
    return frozenset(item.class_id for item in vocabulary.classes if item.part == "novel")


def _groups(target: _Target) -> list[list[str]]:
    """Sort the clips of a target into what the filters ask for, rarer things first."""
    groups: list[list[str]] = []
    kinds: dict[str, list[str]] = {}
    for label, of in target.answers.items():
        clip_ids = {clip: None for answers in of.values() for clip in answers.truth}
        for clip_id in by_hash(clip_ids):
            changed = target.changed(label, clip_id)
            if changed is not None:
                kinds.setdefault(f"{label} changed to {changed}", []).append(clip_id)
            if target.novel_to(label, clip_id):
                kinds.setdefault(f"{label} novel", []).append(clip_id)
            last = of[max(number for number, answers in of.items() if clip_id in answers.truth)]
            kinds.setdefault(f"{label} {last.right(clip_id)}", []).append(clip_id)
    groups += [kinds[kind] for kind in sorted(kinds, key=lambda kind: (len(kinds[kind]), kind))]
    return groups


def _strips(
    workspace: Workspace, models: Sequence[Model], target: DatasetSplit, clip_ids: Sequence[str]
) -> dict[str, Strip]:
    pictures = pictures_of(workspace, models, target)
    try:
        return strips(pictures, clip_ids) if pictures else {}
    except MissingUpstream:
        return {}  # Its frames are those of other clips by now, or gone.


def _clips(
    workspace: Workspace,
    target: _Target,
    order: Sequence[str],
    made: Mapping[str, Strip],
    numbers: dict[Label, dict[str, int]],
) -> Iterator[GalleryClip]:
    columns = ["clip_id", "start_s", "stop_s", "narration"]
    manifest = read_clips(workspace, target.place.dataset, target.place.split)
    words = {row["clip_id"]: row for row in manifest.read(columns).to_pylist() if row["clip_id"] in set(order)}
    for clip_id in order:
        row = words.get(clip_id)
        if row is None:
            continue  # It was prepared again since, without this clip.
        answers = [
            _label(target, label, clip_id)
            for label, of in target.answers.items()
            if any(clip_id in one.truth for one in of.values())
        ]
        tokens = [f"target:{target.place.dataset}-{target.place.split}"]
        for one in answers:
            number = numbers[one.label].setdefault(one.truth, len(numbers[one.label]))
            tokens.append(f"{one.label}:{number}")
            tokens += [f"{'right' if right else 'wrong'}:{one.label}:{model}" for model, right in one.right.items()]
            tokens += [f"run:{model}" for model in one.right]
            tokens += [f"novel:{one.label}:{model}" for model in one.novel]
            changed = target.changed(one.label, clip_id)
            tokens += [] if changed is None else [f"changed:{one.label}", f"changed-{str(changed).lower()}:{one.label}"]
        yield GalleryClip(
            target.place,
            clip_id,
            row["narration"] or "",
            row["start_s"],
            row["stop_s"],
            answers,
            " ".join(dict.fromkeys(tokens)),
            made.get(clip_id),
        )


def _label(target: _Target, label: Label, clip_id: str) -> LabelAnswers:
    of = {model: answers for model, answers in target.answers[label].items() if clip_id in answers.truth}
    truth = next(iter(of.values())).truth[clip_id]
    shares = {model: answers.shares[clip_id] for model, answers in of.items()}
    most = {number: max(share[number] for share in shares.values()) for number in range(len(target.names[label]))}
    best = sorted(most, key=lambda number: (-most[number], number))[:_BEST]
    rows = [
        AnswerRow(
            target.names[label][number],
            number == truth,
            [Bar(model, float(share[number]), int(share.argmax()) == number) for model, share in shares.items()],
        )
        for number in [*best, *([] if truth in best else [truth])]
    ]
    right = {model: answers.right(clip_id) for model, answers in of.items()}
    return LabelAnswers(
        label, target.names[label][truth], rows, right, target.novel_to(label, clip_id), max(most.values())
    )
