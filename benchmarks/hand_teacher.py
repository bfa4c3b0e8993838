"""What training on MediaPipe's labels gains on footage that was not trained on, for docs/hands.md.

    python benchmarks/hand_teacher.py CLIPS LABELS.csv WORK [--epochs 20] [--teacher-score 0.1] [--seeds 3]

CLIPS is a folder of videos; LABELS.csv has hands of some of them (``xmic hands test --help``). Each labelled clip is
held out once: the packaged model is trained on MediaPipe's boxes of all other clips' frames, without their labels, and
scored on this one. Printed are the scores before, those of MediaPipe, and those after, at IoU 0.4. WORK keeps the
models: the same call again only scores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2

from pipelines.decode.container import open_stream
from pipelines.engine.progress import Silent
from pipelines.hands.crops import HAND_THRESHOLDS
from pipelines.hands.detector import Box, Detector, load_detector
from pipelines.hands.finetune.teacher import taught_pictures
from pipelines.hands.finetune.tune import tune_model
from pipelines.hands.labelled import LabelledFrame, labelled_frames
from pipelines.hands.scoring import hand_boxes, matched, score

IOU = 0.4
THRESHOLDS = (0.1, 0.2, 0.3, 0.5)

FRAMES = "frames"
"""Folder of the pictures that are trained on when a clip is held out."""

Found = list[tuple[LabelledFrame, list[Box]]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--teacher-score", type=float, default=HAND_THRESHOLDS["mediapipe"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    by_clip: dict[str, list[LabelledFrame]] = {}
    for frame in labelled_frames(options.clips, options.labels):
        by_clip.setdefault(frame.name.rpartition(" frame ")[0], []).append(frame)
    for held_out in by_clip:
        _write_frames(options.clips, held_out, options.work / held_out / FRAMES)
    teacher = load_detector("mediapipe")
    before = load_detector("yolo", precision="auto")
    for name, detector in (("packaged", before), ("MediaPipe", teacher)):
        _show(name, {clip: _found(detector, frames) for clip, frames in by_clip.items()})
    for seed in range(options.seeds):
        after = {}
        for clip, frames in by_clip.items():
            folder = options.work / clip / f"{options.epochs}-{options.teacher_score:g}-{seed}"
            taught = taught_pictures(
                options.work / clip / FRAMES, teacher, options.teacher_score, folder / "work", Silent()
            )
            made = tune_model(taught.pictures, None, folder, options.epochs, None, seed, True, Silent())
            print(f"{clip:.20} held out: {len(taught.pictures)} pictures trained on, {taught.without} without a hand")
            after[clip] = _found(load_detector("yolo", weights=Path(made["file"]), precision="auto"), frames)
        _show(f"seed {seed}", after)


def _write_frames(clips: Path, held_out: str, into: Path) -> None:
    """Write the frames of all clips but one, as pictures."""
    for clip in sorted(path for path in clips.iterdir() if path.suffix in (".mp4", ".gif") and path.name != held_out):
        (into / clip.stem).mkdir(parents=True, exist_ok=True)
        container, stream = open_stream(clip)
        with container:
            for number, frame in enumerate(container.decode(stream)):
                file = into / clip.stem / f"{number:05d}.png"
                if not file.is_file():
                    cv2.imwrite(str(file), frame.to_ndarray(format="bgr24"))


def _found(detector: Detector, frames: Sequence[LabelledFrame]) -> Found:
    return list(zip(frames, detector.detect([frame.rgb for frame in frames]), strict=True))


def _show(name: str, found: dict[str, Found]) -> None:
    everything = [row for rows in found.values() for row in rows]
    for clip, rows in [*found.items(), ("all", everything)]:
        boxes, truth = [row[1] for row in rows], [row[0].truth for row in rows]
        scores = score(boxes, truth, IOU)
        hits = [hit for own, true in zip(boxes, truth, strict=True) for hit in matched(hand_boxes(own), true, IOU)]
        at = []
        for threshold in THRESHOLDS:
            kept = [right for value, right in hits if value >= threshold]
            at.append(f"{threshold:g}: {sum(kept)} + {len(kept) - sum(kept)} wrong")
        print(f"{name:10} {clip:.20} {scores.hands} hands: AP {100 * (scores.ap or 0):.1f} %; found at {', '.join(at)}")


if __name__ == "__main__":
    main()
