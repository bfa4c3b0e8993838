"""Build the stages of a command or a config file from options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.decode.media_rules import MediaRules
from pipelines.decode.options import DecodeOptions
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage, default_plan, plan_of
from pipelines.embed.clips import EmbedClipsStage
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.spec import EncoderIdentity, parse_spec
from pipelines.embed.options import EmbedOptions
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.embed.text import text_stages
from pipelines.engine.batches import made_batch_size, with_batch_size
from pipelines.engine.machine import Machine, device_kind
from pipelines.engine.precision import resolve_precision
from pipelines.engine.shards import any_footer
from pipelines.engine.stage import Stage
from pipelines.engine.workspace import Workspace, subfolders
from pipelines.hands.box_table import BoxTable
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import DetectorIdentity, describe_detector, load_detector
from pipelines.hands.epic_100doh import Epic100doh
from pipelines.hands.imported import BoxSource, ImportHandsStage
from pipelines.hands.options import IMPORTED, HandsOptions
from pipelines.hands.packaged import fitting_policy
from pipelines.hands.stage import DetectHandsStage, LazyDetector, detect_command

_OWN_BATCH_SIZE = 16
"""Frames per forward pass of a user's own detector, where the user gives none."""

Identity = TypeVar("Identity", EncoderIdentity, DetectorIdentity)

Plans = Mapping[tuple[str, str], str]
"""(dataset, split) → folder name of its frame plan."""


def decode_stages(
    workspace: Workspace,
    dataset: str | None,
    splits: Sequence[str] | None,
    options: DecodeOptions,
    machine: Machine,
) -> list[DecodeStage]:
    """Build one decode stage per prepared split."""
    return [
        DecodeStage(
            workspace,
            name,
            split,
            FramePlan(
                options.segments,
                options.candidates or default_plan(split).candidates,
                options.short_side,
                options.quality,
            ),
            workers=machine.workers,
            timeout_s=options.video_timeout,
            rules=MediaRules(options.max_pixels, options.strict_media),
        )
        for name, split in workspace.choose(dataset, splits)
    ]


def hands_stages(
    workspace: Workspace,
    dataset: str | None,
    splits: Sequence[str] | None,
    options: HandsOptions,
    machine: Machine,
    plans: Plans | None = None,
) -> Sequence[DetectHandsStage | ImportHandsStage]:
    """Build one stage of hand boxes per prepared split.

    A stage detects hands or imports their boxes. The detector is loaded when the first stage has work. ``plans`` names
    the frame plan of single splits, in place of that of the options.

    Raises:
        UsageError: the detector or an option is unknown, or the device lacks the precision.
        InputError: the weights are not a detection model with a hand class, or the boxes are not of their format.
    """
    chosen = workspace.choose(dataset, splits)
    source = _box_source(workspace, options)
    frames = [_frames(workspace, *place, options.plan, plans) for place in chosen]
    if source is not None:
        return [ImportHandsStage(item, source.identity, source) for item in frames]
    if options.detector == "yolo":
        precision = _precision(workspace, options.precision, machine.resolve_device())
        options = replace(options, precision=precision)  # type: ignore[arg-type]
    settings = detector_settings(options, machine, workspace.file_digests.whole)
    identity = describe_detector(options.detector, **settings)
    if options.detector == "yolo" and options.batch_size is None:
        made = made_batch_size((boxes / identity.slug for boxes in map(_boxes_of, frames)), machine.resolve_device())
        identity = _of_batch_size(identity, made, settings)
    load = LazyDetector(partial(load_detector, options.detector, **settings))
    return [DetectHandsStage(item, identity, load, machine.workers) for item in frames]


def detector_identity(workspace: Workspace, options: HandsOptions, machine: Machine) -> DetectorIdentity:
    """Identify the detector or the table of boxes that options name.

    No network is loaded. Errors are those of :func:`hands_stages`.
    """
    source = _box_source(workspace, options)
    if source is not None:
        return source.identity
    if options.detector == "yolo":
        precision = resolve_precision(options.precision, machine.resolve_device())
        options = replace(options, precision=precision)  # type: ignore[arg-type]
    return describe_detector(options.detector, **detector_settings(options, machine, workspace.file_digests.whole))


def _frames(workspace: Workspace, dataset: str, split: str, plan: str | None, plans: Plans | None) -> DecodeStage:
    named = (plans or {}).get((dataset, split), plan)
    return DecodeStage(workspace, dataset, split, plan_of(workspace, dataset, split, named))


def detector_settings(options: HandsOptions, machine: Machine, file_sha256: Callable[[Path], str]) -> dict[str, Any]:
    """Collect the arguments that a detector is built and described with.

    Settings that the detector chooses itself are left out.
    """
    if options.detector == "mediapipe":
        return {"file_sha256": file_sha256}
    settings: dict[str, Any] = {
        "weights": options.weights,
        "hand_class": _hand_class(options.hand_class),
        "batch_size": options.batch_size,
        "device": machine.resolve_device(),
        "file_sha256": file_sha256,
    }
    if options.image_size is not None:
        settings["image_size"] = options.image_size
    if options.detector == "yolo":
        settings |= {"precision": options.precision, "offline": machine.offline}
    elif options.batch_size is None:
        settings["batch_size"] = _OWN_BATCH_SIZE
    return settings


def _hand_class(given: tuple[str, ...]) -> str | tuple[str, ...] | None:
    """Return the hand classes as a detector takes them: none, one, or several."""
    return given if len(given) > 1 else next(iter(given), None)


def _box_source(workspace: Workspace, options: HandsOptions) -> BoxSource | None:
    """Open the boxes to import; None where a detector finds them."""
    if options.detector not in IMPORTED or options.boxes is None:
        return None
    if options.detector == "epic-100doh":
        return Epic100doh(options.boxes, workspace.file_digests.whole)
    return BoxTable(options.boxes, options.boxes_tolerance)


def embed_stages(
    workspace: Workspace,
    dataset: str | None,
    splits: Sequence[str] | None,
    options: EmbedOptions,
    machine: Machine,
    plans: Plans | None = None,
) -> list[Stage]:
    """Build the stages of all vectors by one encoder.

    They are the streams of every prepared split, and the class names of every dataset. ``plans`` is as for
    :func:`hands_stages`.

    Raises:
        UsageError: the encoder is unknown or has random weights that were not allowed; the device lacks the precision;
            the encoder cannot embed clips, or their number of frames does not divide the plan's segments.
        MissingUpstream: the frames, the boxes for the hand stream or the weights are missing.
        InputError: a class list was written by another version of xmic.
    """
    chosen = workspace.choose(dataset, splits)
    encoder = _lazy_encoder(workspace, [name for name, _ in chosen], options, machine)
    if options.clip_frames is not None and not encoder.identity.clips:
        raise UsageError(
            f"--clip-frames {options.clip_frames}: {options.encoder} makes vectors of single frames. Only lavila makes "
            "one of several; leave --clip-frames out."
        )
    stages: list[Stage] = []
    for name, split in chosen:
        frames = _frames(workspace, name, split, options.plan, plans)
        if options.streams in ("full", "both", None):
            stages.append(EmbedStage(frames, encoder, workers=machine.workers))
        if options.streams in ("hand", "both", None):
            boxes = _boxes_folder(frames, options.detector)
            footer = any_footer(boxes)
            policy = crop_policy(footer.provenance if footer else {}, options)
            stages.append(EmbedStage(frames, encoder, boxes, policy, machine.workers))
        if options.clip_frames is not None:
            stages.append(EmbedClipsStage(frames, encoder, workers=machine.workers, clip_frames=options.clip_frames))
    if options.text and not encoder.identity.text_provenance:
        raise UsageError(
            f"--encoder {options.encoder}: it has no text tower, so it cannot embed class names. Pass --no-text, and "
            "train with --v2 naming it."
        )
    if options.text:
        for name in dict.fromkeys(name for name, _ in chosen):
            stages += text_stages(workspace, name, encoder, options.prompt, options.names)
    return stages


def _boxes_of(frames: DecodeStage) -> Path:
    """Return the folder of all boxes of a plan's frames."""
    return frames.workspace.hands(frames.dataset, frames.split, frames.plan.slug)


def _boxes_folder(frames: DecodeStage, detector: str | None) -> Path:
    """Return the folder of the boxes for the hand stream.

    They are the boxes of the named detector, or the only ones there.
    """
    base = _boxes_of(frames)
    there = [folder.name for folder in subfolders(base)]
    command = detect_command(frames)
    if detector is not None and detector not in there:
        raise MissingUpstream(f"{base}: no boxes of {detector}; there is {', '.join(there) or 'none'}. Run {command}")
    if not there:
        raise MissingUpstream(f"{base}: no hand boxes. Run {command}, or embed without hands: --streams full")
    if detector is None and len(there) > 1:
        raise InputError(f"{base}: boxes of several detectors ({', '.join(there)}); choose one with --detector.")
    return base / (detector or there[0])


def crop_policy(made: Mapping[str, Any], options: EmbedOptions) -> CropPolicy:
    """Choose the crop policy: user's values, else those of the detector.

    Args:
        made: provenance of the boxes.
        options: the user's values.
    """
    fitting = fitting_policy(made)
    threshold = fitting.hand_threshold if options.hand_threshold is None else options.hand_threshold
    margin = fitting.margin if options.crop_margin is None else options.crop_margin
    return CropPolicy(threshold, options.object_threshold, margin, options.crop_fit)


def _lazy_encoder(
    workspace: Workspace, datasets: Sequence[str], options: EmbedOptions, machine: Machine
) -> LazyEncoder:
    device = machine.resolve_device()
    auto, found = options.batch_size == "auto" and device_kind(device) != "cpu", None
    settings: dict[str, Any] = {
        "precision": _precision(workspace, options.precision, device),
        "batch_size": None if options.batch_size == "auto" else options.batch_size,
        "device": device,
        "offline": machine.offline,
        "allow_random_weights": options.allow_random_weights,
        "file_sha256": workspace.file_digests.whole,
        "compiled": options.compile,
    }
    identity = describe_encoder(options.encoder, **settings)
    if settings["batch_size"] is None:
        found = made_batch_size(
            (folder for name in datasets for folder in workspace.vectors_by(identity.slug, name)), device
        )
        identity = _of_batch_size(identity, found, settings)
    spec = parse_spec(options.encoder)
    if spec.located != spec.text:
        workspace.remember_encoder(identity.slug, spec.located)
    finds = auto and found is None
    return LazyEncoder(identity, lambda: load_encoder(options.encoder, **settings), finds=finds, shrinks=auto)


def _of_batch_size(identity: Identity, made: int | None, settings: dict[str, Any]) -> Identity:
    """Go on with the batch size of earlier shards, where there is one and this network records its own."""
    if made is None or "batch_shape" not in identity.environment:
        return identity
    settings["batch_size"] = made
    return replace(identity, environment=with_batch_size(identity.environment, made))


def _precision(workspace: Workspace, asked: str, device: str) -> str:
    """Resolve 'auto' once per workspace and kind of device.

    So every later call agrees with the first.
    """
    if asked != "auto":
        return resolve_precision(asked, device)
    kind = device_kind(device)
    if kind not in workspace.precision:
        with workspace.changing():
            workspace.precision.setdefault(kind, resolve_precision("auto", kind))
    return workspace.precision[kind]
