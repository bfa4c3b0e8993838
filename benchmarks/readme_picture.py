"""Draw the picture of README.md: a drawn clip, its hand boxes, the crop, and the words before and after training.

    xmic demo && python -m benchmarks.readme_picture xmic-demo/work docs/first.jpg [--dataset epic]

The command takes the newest X-MIC run of the dataset and the zero-shot run beside it, both scored on the dataset's own
test clips. Of the clips whose noun X-MIC got right and zero-shot did not, and that have a hand in each of four frames,
it is the one of the surest boxes. The caption must say that the clip was chosen so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_manifests.errors import MissingUpstream
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.stage import DecodeStage, decoded_plans, decoded_shards
from pipelines.engine.shards import read_rows, side_path
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics, read_metrics
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.hands.crops import Corners, CropPolicy, crop, union_box
from pipelines.hands.detector import Box
from pipelines.hands.stage import read_boxes
from pipelines.prepare.classes import read_classes

FRAMES, WORDS = 4, 3
_WIDE, _HIGH, _GAP, _SCALE = 300, 225, 12, 2
_HAND, _CROP, _BACK, _TEXT, _FAINT = (250, 200, 40), (70, 190, 255), (255, 255, 255), (30, 30, 36), (120, 120, 128)
_RIGHT, _WRONG = (60, 150, 90), (190, 195, 205)


@dataclass(frozen=True)
class Shot:
    """A frame with its hand boxes and the corners of the crop; corners are shares of the frame."""

    picture: np.ndarray
    hands: Sequence[Box]
    union: Corners


@dataclass(frozen=True)
class Answer:
    """The best words of a run for the clip, with their probabilities in percent."""

    title: str
    words: Sequence[tuple[str, float]]


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", default="epic")
    options = parser.parse_args()
    clip, jpeg = picture(Workspace.open(options.workspace), options.dataset)
    options.out.write_bytes(jpeg)
    print(f"{options.out}: clip {clip}, {len(jpeg) / 1000:.0f} kB")


def picture(workspace: Workspace, dataset: str) -> tuple[str, bytes]:
    """Draw the picture of a workspace.

    Returns:
        The id of the clip, and a JPEG.

    Raises:
        MissingUpstream: an evaluation is missing, or no clip fits.
    """
    trained, plain = (_evaluation(workspace, dataset, method) for method in ("xmic", "zero-shot"))
    metrics = read_metrics(trained / "metrics.json")
    names = read_classes(workspace, dataset, "noun").column("name").to_pylist()
    before, after = (labelled_scores(folder / "predictions.parquet", "noun") for folder in (plain, trained))
    old = {clip: (int(truth), scores) for clip, truth, scores in zip(*_columns(before), strict=True)}
    new = {clip: scores for clip, _, scores in zip(*_columns(after), strict=True)}
    corrected = [
        clip
        for clip, (truth, scores) in old.items()
        if clip in new and int(scores.argmax()) != truth == int(new[clip].argmax())
    ]
    shots = _shots(workspace, metrics, corrected)
    whole = [clip for clip in corrected if len(shots.get(clip, [])) == FRAMES]
    if not whole:
        raise MissingUpstream(
            f"{workspace.root}: no clip of {dataset} whose noun X-MIC corrected has a hand in {FRAMES} frames."
        )
    # The least sure of all boxes that are drawn decides.
    clip = max(whole, key=lambda clip: (min(hand.score for shot in shots[clip] for hand in shot.hands), clip))
    truth, scores = old[clip]
    answers = [
        Answer("before: zero-shot CLIP", _best(scores, names)),
        Answer("after: X-MIC", _best(new[clip], names)),
    ]
    return clip, to_jpeg(draw(shots[clip], CropPolicy.of_slug(_crop_of(metrics)), answers, names[truth]), 86)


def draw(shots: Sequence[Shot], policy: CropPolicy, answers: Sequence[Answer], truth: str) -> np.ndarray:
    """Draw frames with boxes above, and crop, words before and words after below.

    Returns:
        uint8 [h, w, 3].
    """
    width = FRAMES * _WIDE + (FRAMES + 1) * _GAP
    page = Image.new("RGB", (width, 2 * _HIGH + 3 * _GAP), _BACK)
    for number, shot in enumerate(shots):
        page.paste(_frame(shot, policy.margin), (_GAP + number * (_WIDE + _GAP), _GAP))
    top = _HIGH + 2 * _GAP
    last = shots[-1]
    cut = Image.fromarray(crop(last.picture, last.union, policy))
    share = min(_WIDE / cut.width, _HIGH / cut.height)
    cut = cut.resize((round(cut.width * share), round(cut.height * share)), Image.Resampling.LANCZOS)
    page.paste(cut, (_GAP + (_WIDE - cut.width) // 2, top + (_HIGH - cut.height) // 2))
    pen = ImageDraw.Draw(page)
    most = max(percent for answer in answers for _, percent in answer.words)
    for number, answer in enumerate(answers):
        left = 2 * _GAP + _WIDE + number * (width - 2 * _GAP - _WIDE) // 2
        _write(pen, answer, truth, most, (left + _GAP, top), (width - 2 * _GAP - _WIDE) // 2 - 3 * _GAP)
    return np.array(page)


def _frame(shot: Shot, margin: float) -> Image.Image:
    height, width = shot.picture.shape[:2]
    x0, y0, x1, y1 = shot.union
    more = margin * max((x1 - x0) * width, (y1 - y0) * height)
    seen = (x0 - more / width, y0 - more / height, x1 + more / width, y1 + more / height)
    big = cv2.resize(shot.picture, (width * _SCALE, height * _SCALE), interpolation=cv2.INTER_CUBIC)
    for box, colour in [(seen, _CROP), *(((hand.x0, hand.y0, hand.x1, hand.y1), _HAND) for hand in shot.hands)]:
        corners = (np.clip(box, 0, 1) * [width - 1, height - 1, width - 1, height - 1] * _SCALE).round().astype(int)
        cv2.rectangle(big, corners[:2].tolist(), corners[2:].tolist(), colour, 3)
    return Image.fromarray(big).resize((_WIDE, _HIGH), Image.Resampling.LANCZOS)


def _write(
    pen: ImageDraw.ImageDraw, answer: Answer, truth: str, most: float, place: tuple[int, int], width: int
) -> None:
    """Write a title and words with bars; a bar of ``most`` percent has the whole width."""
    left, top = place
    title, words = ImageFont.load_default(size=20), ImageFont.load_default(size=26)
    pen.text((left, top + 8), answer.title, _FAINT, title)
    for number, (word, percent) in enumerate(answer.words):
        high = top + 48 + number * 58
        right = word == truth
        pen.text((left, high), word, _RIGHT if right else _TEXT, words)
        pen.text((left + width, high), f"{percent:.0f} %", _FAINT, title, anchor="ra")
        pen.rectangle((left, high + 36, left + width, high + 44), (238, 238, 242))
        pen.rectangle((left, high + 36, left + width * percent / most, high + 44), _RIGHT if right else _WRONG)


def _evaluation(workspace: Workspace, dataset: str, method: str) -> Path:
    """Folder of the newest ordinary evaluation of a method, within the dataset."""
    found: list[tuple[float, Path]] = []
    for file in workspace.evaluations.glob("*/*/metrics.json"):
        metrics = read_metrics(file)
        fits = metrics.run.method == method and not metrics.control
        if fits and metrics.within and metrics.target.dataset == dataset:
            found.append((file.stat().st_mtime, file.parent))
    if not found:
        raise MissingUpstream(f"{workspace.root}: no evaluation of {method} within {dataset}. Run xmic demo.")
    return max(found)[1]


def _best(scores: np.ndarray, names: Sequence[str]) -> list[tuple[str, float]]:
    shares = np.exp(scores.astype(np.float64) - scores.max())
    return [(names[number], float(100 * shares[number] / shares.sum())) for number in np.argsort(-scores)[:WORDS]]


def _columns(found: Any) -> tuple[Any, Any, Any]:
    return found.clip_ids, found.truth, found.scores


def _crop_of(metrics: Metrics) -> str:
    return str(metrics.protocol["crop"])


def _shots(workspace: Workspace, metrics: Metrics, clips: Sequence[str]) -> dict[str, list[Shot]]:
    """Return the frames of each clip that show a hand, in order, at FRAMES places of it."""
    plan = decoded_plans(workspace, metrics.target.dataset, metrics.target.split)[metrics.protocol["plan"]]
    frames = DecodeStage(workspace, metrics.target.dataset, metrics.target.split, plan)
    policy = CropPolicy.of_slug(_crop_of(metrics))
    boxes = workspace.hands(frames.dataset, frames.split, plan.slug, str(metrics.protocol["detector"]))
    segments = {round((place + 0.5) * plan.segments / FRAMES - 0.5) for place in range(FRAMES)}
    found: dict[str, list[tuple[int, Shot]]] = {}
    for shard in decoded_shards(frames)[0]:
        of_frame: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for row in read_rows(side_path(shard.path, "clip_frames")).to_pylist():
            if row["clip_id"] in clips and row["segment"] in segments and row["candidate"] == plan.centre_candidate:
                of_frame.setdefault((row["video_id"], row["pts"]), []).append((row["clip_id"], row["segment"]))
        of_shard = read_boxes(boxes / shard.path.name)
        for row in (row for rows in shard.rows() for row in rows.to_pylist()):
            key = row["video_id"], row["pts"]
            for clip, segment in of_frame.get(key, ()):
                image = from_jpeg(row["jpeg"])
                hands = [box for box in of_shard.get(key, []) if box.score >= policy.hand_threshold]
                union = union_box(hands, policy, image.shape[1], image.shape[0])
                if union is not None:
                    shot = Shot(image, [box for box in hands if box.kind == "hand"], union)
                    found.setdefault(clip, []).append((segment, shot))
    return {clip: [shot for _, shot in sorted(of, key=lambda one: one[0])] for clip, of in found.items()}


if __name__ == "__main__":
    main()
