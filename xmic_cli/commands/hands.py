"""``xmic hands``: train and test hand models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from data_manifests.errors import UsageError
from pipelines.engine.options import LARGEST_SEED, Doc
from pipelines.engine.precision import Precision
from xmic_cli import console
from xmic_cli.options import Device, Json, Offline, machine_of
from xmic_cli.spread import spread

app = typer.Typer(no_args_is_help=True, help="Train and test hand models for xmic detect-hands.")

Into = Annotated[Path, typer.Option(help="Folder for hands.safetensors and hands.yaml.")]
"""The folder of a trained model."""


@app.command("train")
def train(
    data: Annotated[
        Path,
        typer.Argument(
            help="YAML of a YOLO-format dataset; with --teacher: folder of pictures; with --teacher-boxes: folder of "
            "VIDEO/…NUMBER.jpg."
        ),
    ],
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Weights to start from. (default: the model that comes with xmic)"),
    ] = None,
    into: Into = Path("hand-model"),
    teacher: Annotated[
        Literal["mediapipe"] | None, typer.Option(help="Label the pictures by this detector, an optional package.")
    ] = None,
    teacher_boxes: Annotated[
        Path | None, typer.Option(help="Boxes of another detector (.csv, .parquet; columns video and frame).")
    ] = None,
    teacher_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least score of a teacher's box. (default: 0.1 for mediapipe, else 0.5)"),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures.")] = 20,
    image_size: Annotated[
        int | None, typer.Option(min=32, help="Side of the square input, pixels. (default: that of the weights)")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the batches.")] = 0,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Fine-tune a hand model on pictures of your own.

    Run it again after a stop: it goes on from its checkpoint in INTO/work. Other pictures, boxes or settings need
    another folder. Use the model with xmic detect-hands --weights INTO/hands.safetensors.

    --teacher mediapipe needs no labels. Pictures where it finds no hand are left out, not taken as pictures without
    hands: it misses many. The result can be worse than before: score it with xmic hands test.
    """
    from pipelines.hands.crops import HAND_THRESHOLD, HAND_THRESHOLDS
    from pipelines.hands.detector import load_detector
    from pipelines.hands.finetune.datasets import teacher_boxes as of_teacher
    from pipelines.hands.finetune.datasets import yolo_dataset
    from pipelines.hands.finetune.teacher import taught_pictures
    from pipelines.hands.finetune.tune import tune_model

    progress = console.progress()
    if teacher is not None:
        if teacher_boxes is not None:
            raise UsageError(f"--teacher-boxes {teacher_boxes}: --teacher {teacher} finds boxes itself; leave one out.")
        least = HAND_THRESHOLDS[teacher] if teacher_score is None else teacher_score
        detector = load_detector(teacher)
        taught = taught_pictures(data, detector, least, into / "work", progress)
        taught_by = {"detector": detector.slug, "least_score": least}
        made = tune_model(taught.pictures, start, into, epochs, image_size, seed, offline, progress, taught_by)
        counts = {"used": len(taught.pictures), "unsure": taught.unsure, "without": taught.without}
        console.emit({**made, "labelled": counts}, json, [labelled_line(teacher, counts), trained_line(made)])
        return
    if teacher_boxes is not None:
        least = HAND_THRESHOLD if teacher_score is None else teacher_score
        pictures = of_teacher(data, teacher_boxes, least)
    else:
        pictures = yolo_dataset(data)
    made = tune_model(pictures, start, into, epochs, image_size, seed, offline, progress)
    console.emit(made, json, [trained_line(made)])


@app.command("test")
@spread
def score(
    model: Annotated[Path, typer.Argument(help="Weights (.pt or .safetensors), or hf://owner/repo/file.")],
    frames: Annotated[Path, typer.Argument(help="Folder of videos or pictures.")],
    labels: Annotated[
        Path,
        typer.Argument(
            help="Table (.csv: clip, frame, x0, y0, x1, y1 as shares, difficult), or folder of YOLO text files."
        ),
    ],
    hand_class: Annotated[
        tuple[str, ...], Doc("Hand classes of the model, with commas or repeated. (default: those named hand)")
    ] = (),
    image_size: Annotated[
        int | None,
        typer.Option(
            min=32, help="Longer side of the input, pixels. (default: that of the weights, or 640 if they give none)"
        ),
    ] = None,
    iou: Annotated[float, typer.Option(min=0.01, max=1.0, help="Least overlap (IoU) of a box with its hand.")] = 0.5,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Also count hands found and missed at this score.")
    ] = None,
    precision: Annotated[Precision, Doc("Precision of the network; auto chooses by the hardware.")] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Frames per forward pass. (default: 64 for inputs of up to 320 pixels, 16 for larger ones)"
        ),
    ] = None,
    device: Device = "auto",
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Score a hand model on labelled frames.

    Prints average precision (AP50 by default), recall at fixed false alarms per frame, and frames per second.
    """
    from pipelines.hands.detector import load_detector
    from pipelines.hands.measure import measure_detector

    where = machine_of(None, device, offline).resolve_device()
    detector = load_detector(
        "yolo",
        weights=model,
        hand_class=hand_class or None,
        image_size=image_size,
        precision=precision,
        batch_size=batch_size,
        device=where,
        offline=offline,
    )
    found = measure_detector(detector, frames, labels, console.progress(), iou, threshold)
    lines = [f"{found['hands']} hands in {found['frames']} frames: AP{100 * iou:.0f} {percent(found['ap'])}"]
    lines += [
        f"recall {percent(row['recall'])} at {row['false_alarms']:g} false alarms per frame"
        + ("" if row["threshold"] is None else f" (threshold {row['threshold']:.2f})")
        for row in found["recall"]
    ]
    if counts := found["at_threshold"]:
        lines.append(
            f"at threshold {counts['threshold']:g}: {counts['found']} found, {counts['false_alarms']} false alarms, "
            f"{counts['missed']} missed"
        )
    lines.append(f"{found['frames_per_second']} frames per second")
    console.emit({"model": str(model), **found}, json, lines)


def trained_line(made: Mapping[str, Any]) -> str:
    """Describe in one line what a training made."""
    done = "; finished before, nothing to do" if made["already_done"] else ""
    return f"{made['file']}: loss {made['loss']:.2f} after {made['pictures']} pictures{done}"


def labelled_line(teacher: str, counts: Mapping[str, int]) -> str:
    """Describe in one line what a teacher labelled."""
    left = f"{counts['without']} without a hand, {counts['unsure']} where it is unsure"
    return f"{teacher} labelled {counts['used']} pictures; left out: {left}"


def percent(share: float | None) -> str:
    """Format a share in percent: '81.3 %', or 'none' without a share."""
    return "none" if share is None else f"{100 * share:.1f} %"
