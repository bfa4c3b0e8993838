"""Set up a run's encoders, boxes and crops for new footage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, UsageError
from pipelines.chain.stages import hands_stages
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.engine.batches import made_batch_size
from pipelines.engine.machine import Machine
from pipelines.engine.precision import resolve_precision
from pipelines.engine.shards import any_footer
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run_config import refuse_class
from pipelines.evaluate.trained import TrainedRun
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import DETECTORS, Box, DetectorIdentity, precision_of
from pipelines.hands.hand_classes import is_hand
from pipelines.hands.imported import BoxSource, ImportHandsStage, NoBoxes, VideoFrames
from pipelines.hands.options import IMPORTED, HandsOptions
from pipelines.hands.packaged import is_packaged
from pipelines.hands.stage import DetectHandsStage
from pipelines.predict.options import Overrides
from pipelines.train.protocol import Protocol

_INSTEAD = "or detect hands with --detector yolo --weights FILE --allow-mixed"


def frame_plan(protocol: Protocol) -> FramePlan:
    """Return the frame plan of new footage: the centres of the segments.

    Number of segments, size and quality are the run's.
    """
    return FramePlan(protocol.segments, 1, protocol.short_side, protocol.quality)


def encoders_of(run: TrainedRun, home: Workspace, overrides: Overrides, machine: Machine) -> dict[str, LazyEncoder]:
    """Return the run's encoders by folder name, without loading them.

    Args:
        run: the run.
        home: the workspace it was trained in: the batch shape of its vectors is looked up there.
        overrides: specs that the user gives again.
        machine: device and network.

    Raises:
        InputError: weights that are not the run's, or that cannot be found; a precision this device has not.
        UsageError: a spec that is none, or for a second encoder that the run does not have.
    """
    protocol = run.protocol
    given = {protocol.v2: ("--v2", overrides.v2), protocol.encoder: ("--encoder", overrides.encoder)}
    folders = {folder for folder, _ in protocol.needed.values()}
    if overrides.v2 is not None and protocol.v2 not in folders - {protocol.encoder}:
        raise UsageError(f"--v2 {overrides.v2}: {run.config['name']} has no second encoder.")
    return {folder: _encoder(run, folder, *given[folder], home, overrides, machine) for folder in sorted(folders)}


def made_by(protocol: Protocol, folder: str) -> Mapping[str, Any]:
    """Return the provenance of the vectors of an encoder in a protocol."""
    return next(made for place, made in protocol.vectors.items() if place.startswith(f"{folder}/"))


def _encoder(
    run: TrainedRun,
    folder: str,
    option: str,
    given: str | None,
    home: Workspace,
    overrides: Overrides,
    machine: Machine,
) -> LazyEncoder:
    made = made_by(run.protocol, folder)
    spec = given or made["spec"]
    device, dataset = machine.resolve_device(), run.config["source"]["dataset"]
    settings: dict[str, Any] = {
        "precision": _precision(made["precision"], device, overrides.allow_mixed),
        # A zero-shot run without a dataset has no earlier vectors.
        "batch_size": made_batch_size(home.vectors_by(folder, dataset), device) if dataset else None,
        "device": device,
        "offline": machine.offline,
        "allow_random_weights": bool(made.get("random_weights")),
        "file_sha256": home.file_digests.whole,
    }
    try:
        found = describe_encoder(spec, **settings)
    except InputError as error:
        if given is not None or not ("=" in spec or ".json" in spec):
            raise
        raise InputError(
            f"{run.config['name']}: its encoder is {spec}, of which only the file's name is known ({error}). "
            f"Name it with its folder: --run {run.config['name']} {option} FAMILY:MODEL=FILE"
        ) from None
    free = {"spec"} | ({"precision"} if overrides.allow_mixed else set())
    for name in sorted(found.provenance.keys() - free):
        if found.provenance[name] != made.get(name):
            raise InputError(
                f"{option} {spec}: {name} is {found.provenance[name]!r}, {run.config['name']} was trained with "
                f"{made.get(name)!r}. Name the very weights it was trained with. To predict without a run, by the "
                "encoder alone, leave --run out."
            )
    # The same weights under another file name are the same encoder: its vectors go by the name the run knows.
    identity = replace(
        found,
        slug=folder,
        provenance={**found.provenance, "spec": made["spec"]},
        text_provenance={**found.text_provenance, "spec": made["spec"]} if found.text_provenance else {},
    )
    return LazyEncoder(identity, lambda: load_encoder(spec, **settings))


def _precision(made: str, device: str, allow_mixed: bool) -> str:
    try:
        return resolve_precision(made, device)
    except UsageError:
        other = resolve_precision("auto", device)
        if allow_mixed:
            return other
        raise InputError(
            f"the run's networks ran in {made}, which {device} does not have; use --device cuda, or pass --allow-mixed "
            f"to take {other}."
        ) from None


def hands_stage(
    cache: Workspace, frames: DecodeStage, run: TrainedRun, home: Workspace, overrides: Overrides, machine: Machine
) -> ImportHandsStage | DetectHandsStage | None:
    """Return the stage that makes the boxes; None without a hand stream.

    Raises:
        UsageError: something is missing, or given for nothing; says what.
        InputError: weights or boxes that are not of their format, or another detector than the run's without leave.
    """
    options = _hands_options(run, home, overrides, machine)
    if options is None:
        return None
    (stage,) = hands_stages(cache, frames.dataset, [frames.split], options, machine)
    assert isinstance(stage, ImportHandsStage | DetectHandsStage)
    trained = _hand_vectors(run.protocol)["detector"]
    if stage.identity.slug != trained and not overrides.allow_mixed:
        raise InputError(
            f"the hands of {run.config['name']} are by {trained}, these by {stage.identity.slug}. Find them the same "
            "way (a table of boxes by its file name), or pass --allow-mixed; the answers then come with a warning."
        )
    if isinstance(stage, ImportHandsStage):
        stage.source = _ByAnyName(stage.source, stage.source.identity)
    return stage


def check_overrides(run: TrainedRun, home: Workspace, overrides: Overrides, machine: Machine) -> None:
    """Check the options of the hands before anything is decoded.

    Raises:
        UsageError: see :func:`hands_stage`.
    """
    _hands_options(run, home, overrides, machine)


def _hand_vectors(protocol: Protocol) -> Mapping[str, Any]:
    """Return the provenance of a run's hand stream; empty for a run of full frames."""
    return next((made for made in protocol.vectors.values() if made.get("stream") == "hand"), {})


def _hands_options(run: TrainedRun, home: Workspace, overrides: Overrides, machine: Machine) -> HandsOptions | None:
    vectors = _hand_vectors(run.protocol)
    given = {"--detector": overrides.detector, "--weights": overrides.weights, "--boxes": overrides.boxes}
    if not vectors:
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} {value}: {run.config['name']} does not look at hands; leave it out.")
        return None
    slug = vectors["detector"]
    footers = (any_footer(place) for place in home.boxes_by(slug))
    facts = next((footer for footer in footers if footer is not None), None)
    made = facts.provenance if facts is not None else {}
    trained = made.get("detector") or next((name for name in (*IMPORTED, *DETECTORS) if slug.startswith(name)), slug)
    if overrides.detector is None and not run.own_code and ":" in trained:
        refuse_class(trained, str(run.folder))
    detector = overrides.detector or trained
    if detector in IMPORTED and overrides.boxes is None:
        raise UsageError(
            f"--boxes is missing: {run.config['name']} was trained on boxes made elsewhere ({slug}), and there are "
            f"none of new footage. Give a table of them with --boxes FILE (xmic detect-hands --help has its columns), "
            f"{_INSTEAD}."
        )
    if detector == "yolo" and overrides.weights is None and not is_packaged(slug):
        raise UsageError(
            f"--weights is missing: the hands of {run.config['name']} were found by {slug}; name the weights "
            f"{made.get('weights', '(.pt)')} with their folder: --weights FILE."
        )
    same = made if detector == trained else {}
    device = machine.resolve_device()
    classes = list(same.get("classes", {}))
    shape = facts.environment.get("batch_shape") if facts is not None and same else None
    return HandsOptions(
        detector=detector,
        weights=overrides.weights,
        # Several that are found by their names may be named otherwise in other weights.
        hand_class=() if len(classes) > 1 and all(map(is_hand, classes)) else tuple(classes),
        image_size=same.get("image_size", HandsOptions.image_size),
        precision=_precision(precision_of(slug), device, overrides.allow_mixed) if detector == "yolo" else "auto",  # type: ignore[arg-type]
        batch_size=int(shape[0]) if shape else HandsOptions.batch_size,
        boxes=overrides.boxes,
        boxes_tolerance=same.get("tolerance_s", HandsOptions.boxes_tolerance),
    )


def embed_stages(
    frames: DecodeStage,
    run: TrainedRun,
    encoders: Mapping[str, LazyEncoder],
    boxes: Path | None,
    workers: int,
) -> list[EmbedStage]:
    """Make the stages of the streams that the run's protocol needs.

    Hand crops follow the run's own policy.

    Args:
        frames: the new frames.
        run: the run.
        encoders: from :func:`encoders_of`.
        boxes: the folder of the new frames' boxes.
        workers: threads that decode pictures.
    """
    stages = []
    for folder, stream in sorted(set(run.protocol.needed.values())):
        hand = stream != "full"
        policy = CropPolicy.of_slug(run.protocol.vectors[f"{folder}/{stream}"]["crop"]) if hand else None
        stages.append(EmbedStage(frames, encoders[folder], boxes if hand else None, policy, workers))
    return stages


@dataclass
class _ByAnyName:
    """Box source that finds a video by its path, its file name or its name without the ending."""

    source: BoxSource
    identity: DetectorIdentity

    def digest(self, video_id: str) -> str | None:
        return self.source.digest(self._name(video_id))

    def boxes(self, frames: VideoFrames) -> list[list[Box] | NoBoxes | None]:
        return self.source.boxes(replace(frames, video_id=self._name(frames.video_id)))

    def _name(self, video_id: str) -> str:
        path = Path(video_id)
        names = (video_id, path.name, path.with_suffix("").as_posix(), path.stem)
        return next((name for name in names if self.source.digest(name) is not None), video_id)
