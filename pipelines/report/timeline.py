"""Lay clips of a video along its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_manifests.errors import MissingUpstream
from data_manifests.schema import LABELS, Label
from data_manifests.times import clock_of
from pipelines.decode.stage import decoded_shards
from pipelines.engine.clips import read_clips
from pipelines.engine.shards import iter_rows
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import DatasetSplit
from pipelines.hands.stage import read_boxes
from pipelines.prepare.classes import read_classes
from pipelines.report.choose import by_hash
from pipelines.report.shown_models import Answers, Model, answers_of, pictures_of, targets_of
from pipelines.report.strips import Pictures

MOST_VIDEOS = 4
"""Most videos of a target."""
_FEWEST_CLIPS = 3
_COLOURS = 8
_REM_A_CLIP = 4.5
_NEAR_S = 2.0


@dataclass(frozen=True)
class Piece:
    """Part of a lane.

    Attributes:
        left: percent of the video's length.
        width: percent of the video's length.
        text: what is written in it.
        words: what it says when it is hovered.
        kind: number of its colour, or 'hand' or 'none'.
        right: whether it is a right answer; None for the truth and for hands.
    """

    left: float
    width: float
    text: str
    words: str
    kind: str
    right: bool | None = None


@dataclass(frozen=True)
class Lane:
    """Pieces along the time, in as many rows as have no overlap.

    Attributes:
        title: what they are.
        rows: from top to bottom.
        model: number of the model that answered; None for the truth and for hands.
    """

    title: str
    rows: Sequence[Sequence[Piece]]
    model: int | None = None


@dataclass(frozen=True)
class Timeline:
    """A video with its clips.

    Attributes:
        target: where it is from.
        video_id: of the video.
        seconds: from its first to its last shown instant.
        ticks: (percent of the length, time in words).
        lanes: truth and answers of each label, then hands.
        clips: number of clips.
        least_rem: least width at which the words can be read.
    """

    target: DatasetSplit
    video_id: str
    seconds: float
    ticks: Sequence[tuple[float, str]]
    lanes: Sequence[Lane]
    clips: int
    least_rem: float


@dataclass(frozen=True)
class _Span:
    clip_id: str
    start: float
    stop: float
    classes: Mapping[Label, str]


def timelines(workspace: Workspace, models: Sequence[Model]) -> list[Timeline]:
    """Draw videos with at least three clips, the longest of each target.

    Args:
        workspace: where clips, frames and boxes are.
        models: see :func:`pipelines.report.shown_models.shown_models`.

    Raises:
        DamagedShard: predictions, frames or boxes are damaged on disk.
    """
    return [line for target in targets_of(models) for line in _of_target(workspace, models, target)]


def _of_target(workspace: Workspace, models: Sequence[Model], target: DatasetSplit) -> list[Timeline]:
    try:
        names = {label: read_classes(workspace, target.dataset, label).column("name").to_pylist() for label in LABELS}
        of_video = _spans(workspace, target, names)
    except MissingUpstream:
        return []
    long = [video for video in by_hash(of_video) if len(of_video[video]) >= _FEWEST_CLIPS]
    long.sort(key=lambda video: -len(of_video[video]))
    chosen = long[:MOST_VIDEOS]
    if not chosen:
        return []
    answers = {
        (model.number, label): answers_of(model.on[target][1], label)
        for model in models
        if target in model.on
        for label in model.on[target][0].labels
    }
    hands = _hands(pictures_of(workspace, models, target), chosen)
    return [_timeline(target, video, of_video[video], models, answers, names, hands.get(video, [])) for video in chosen]


def _spans(workspace: Workspace, target: DatasetSplit, names: Mapping[Label, Sequence[str]]) -> dict[str, list[_Span]]:
    clips = read_clips(workspace, target.dataset, target.split)
    times = clips.read(["start_s", "stop_s"])
    found: dict[str, list[_Span]] = {}
    for row, clip_id in enumerate(clips.clip_ids):
        start, stop = (times.column(name)[row].as_py() for name in ("start_s", "stop_s"))
        if stop is None:
            continue  # It is a whole video, so it has no others beside it.
        numbers = {label: int(clips.labels[label][row]) for label in LABELS}
        classes = {label: names[label][number] for label, number in numbers.items() if number >= 0}
        found.setdefault(clips.video_ids[row], []).append(_Span(clip_id, start, stop, classes))
    return found


def _hands(pictures: Pictures | None, videos: Sequence[str]) -> dict[str, list[tuple[float, bool]]]:
    """Find the times of the frames of some videos, and whether each has a hand."""
    found: dict[str, list[tuple[float, bool]]] = {}
    if pictures is None or pictures.boxes is None or pictures.policy is None:
        return found
    threshold = pictures.policy.hand_threshold
    try:
        shards = decoded_shards(pictures.frames)[0]
    except MissingUpstream:
        return found
    for shard in shards:
        file = pictures.boxes / shard.path.name
        if not file.is_file() or not {task.video_id for task in shard.videos} & set(videos):
            continue
        boxes = read_boxes(file)
        for rows in iter_rows(shard.path, ["video_id", "pts", "time_s"]):
            for row in rows.to_pylist():
                there = boxes.get((row["video_id"], row["pts"]))
                if row["video_id"] in videos and row["time_s"] is not None and there is not None:
                    hand = any(box.kind == "hand" and box.score >= threshold for box in there)
                    found.setdefault(row["video_id"], []).append((row["time_s"], hand))
    return {video: sorted(times) for video, times in found.items()}


def _timeline(
    target: DatasetSplit,
    video: str,
    spans: Sequence[_Span],
    models: Sequence[Model],
    answers: Mapping[tuple[int, Label], Answers],
    names: Mapping[Label, Sequence[str]],
    hands: Sequence[tuple[float, bool]],
) -> Timeline:
    spans = sorted(spans, key=lambda span: (span.start, span.stop, span.clip_id))
    end = max([span.stop for span in spans] + [time for time, _ in hands[-1:]])
    lanes = []
    for label in LABELS:
        colours: dict[str, str] = {}
        truth = [(span, span.classes[label], None) for span in spans if label in span.classes]
        if truth:
            lanes.append(Lane(f"{label}, truth", _rows(truth, end, colours)))
        for model in models:
            of = answers.get((model.number, label))
            if of is None:
                continue
            said = [
                (span, names[label][int(of.shares[span.clip_id].argmax())], of.right(span.clip_id))
                for span in spans
                if span.clip_id in of.shares
            ]
            if said:
                lanes.append(Lane(f"{label}, {model.title}", _rows(said, end, colours), model.number))
    if hands:
        lanes.append(Lane("hands", [_hand_pieces(hands, end)]))
    return Timeline(target, video, end, _ticks(end), lanes, len(spans), round(_REM_A_CLIP * len(spans), 1))


def _rows(found: Sequence[tuple[_Span, str, bool | None]], end: float, colours: dict[str, str]) -> list[list[Piece]]:
    """Put pieces into as few rows as have no overlap."""
    rows: list[list[Piece]] = []
    ends: list[float] = []
    for span, name, right in found:
        text = name or "(empty name)"
        words = (
            f"{text}{'' if right is None else ', right' if right else ', wrong'}: {span.start:.1f}–{span.stop:.1f} s"
        )
        share = 100 * (span.stop - span.start) / end
        colour = colours.setdefault(text, str(len(colours) % _COLOURS))
        piece = Piece(100 * span.start / end, share, text, words, colour, right)
        place = next((row for row, last in enumerate(ends) if last <= span.start + 1e-6), len(rows))
        if place == len(rows):
            rows.append([])
            ends.append(0.0)
        rows[place].append(piece)
        ends[place] = span.stop
    return rows


def _hand_pieces(hands: Sequence[tuple[float, bool]], end: float) -> list[Piece]:
    """Join frames that follow each other and agree."""
    runs: list[tuple[float, float, bool]] = []
    for time, hand in hands:
        if runs and runs[-1][2] == hand and time - runs[-1][1] <= _NEAR_S:
            runs[-1] = runs[-1][0], time, hand
        else:
            runs.append((time, time, hand))
    shortest = end / 400
    pieces = []
    for place, (start, stop, hand) in enumerate(runs):
        after = runs[place + 1][0] if place + 1 < len(runs) else end
        until = after if after - stop <= _NEAR_S else max(stop, start + shortest)
        words = f"{'a hand' if hand else 'no hand'}: {start:.1f}–{stop:.1f} s"
        pieces.append(Piece(100 * start / end, 100 * (until - start) / end, "", words, "hand" if hand else "none"))
    return pieces


def _ticks(end: float) -> list[tuple[float, str]]:
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    step = next((step for step in steps if end / step <= 8), steps[-1])
    return [(100 * time / end, clock_of(time, digits=0)) for time in range(0, int(end) + 1, step)]
