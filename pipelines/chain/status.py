"""Find what is done, stale, missing or failed in a workspace.

Footers are read, and no model is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_manifests.errors import MissingUpstream
from data_manifests.remote.access import without_network
from data_manifests.remote.path import is_remote
from data_manifests.schema import LABELS
from pipelines.chain.run_status import evaluation_status, run_status
from pipelines.chain.stage_status import Recorded, StageStatus, require_rows
from pipelines.chain.stages import crop_policy
from pipelines.decode.absent import about_absent
from pipelines.decode.stage import DecodeStage, decoded_plans, decoded_shards, default_plan, lacking_frames
from pipelines.embed.encoders.spec import embed_command
from pipelines.embed.options import EmbedOptions
from pipelines.embed.stage import EmbedStage
from pipelines.embed.text import TextStage, text_command
from pipelines.engine.clips import clips_footer, read_videos
from pipelines.engine.inspection import Inspection, State, Unit, inspect
from pipelines.engine.shards import DamagedShard, Footer, any_footer, known_footer, read_rows, side_path
from pipelines.engine.workspace import Workspace, subfolders
from pipelines.evaluate.differs import in_words, told_apart
from pipelines.evaluate.metrics_file import parse_folder_name
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import DETECTORS
from pipelines.hands.options import IMPORTED, HandsOptions
from pipelines.hands.packaged import calibration_of
from pipelines.hands.stage import HandsStage, detect_command
from pipelines.train.layouts import laid_out


@without_network()
def status(workspace: Workspace, *, verify: bool = False) -> list[StageStatus]:
    """Find the status of every stage of every prepared split.

    No store is asked: a remote video that was there at the last prepare counts as there.

    Args:
        workspace: the workspace.
        verify: read every done shard in full and compare its rows with their digest; a damaged shard is set aside, so
            that its stage makes it again.

    Raises:
        MissingUpstream: no dataset is prepared.
    """
    damaged = workspace.damaged_splits()
    found = [_damaged_split(workspace, *pair, "found damaged and set aside") for pair in damaged]
    prepared = workspace.prepared() if damaged else workspace.choose(None)
    for dataset, split in prepared:
        try:
            found.append(_prepared(workspace, dataset, split, verify))
        except DamagedShard as error:
            found.append(_damaged_split(workspace, dataset, split, str(error)))
            continue
        plans = list(decoded_plans(workspace, dataset, split).values())
        if not plans:
            found.append(_not_started(DecodeStage(workspace, dataset, split, default_plan(split))))
        for plan in plans:
            frames = DecodeStage(workspace, dataset, split, plan)
            result = StageStatus("decode", dataset, split, plan.slug, str(frames.folder))
            found.append(result.count((inspect(frames, unit) for unit in frames.units()), frames.command, verify))
            found += _of_frames(frames, verify)
    found += [_text(workspace, file, verify) for file in workspace.texts()]
    results = [run_status(workspace, folder, verify) for folder in workspace.run_folders()]
    files = sorted(workspace.evaluations.glob("*/*/predictions.parquet"))
    results += [evaluation_status(workspace, file, verify) for file in files]
    _tell_apart(workspace, results)
    return found + results + (_layouts(workspace) if verify else [])


def _tell_apart(workspace: Workspace, results: Sequence[StageStatus]) -> None:
    folders = workspace.run_folders()
    if not folders:
        return
    apart = told_apart(folders)
    for item in results:
        item.differs = in_words(apart.get(parse_folder_name(item.what)[0], {}))


def _damaged_split(workspace: Workspace, dataset: str, split: str, why: str) -> StageStatus:
    result = StageStatus("prepare", dataset, split, "manifest", str(workspace.manifest(dataset, split)), damaged=1)
    result.why[workspace.clips_file(dataset, split).name] = why
    result.next = "xmic prepare"
    return result


def _layouts(workspace: Workspace) -> list[StageStatus]:
    """Return the status of what is laid out for training; it is made again where it is damaged."""
    found = []
    for kind in ("features", "pixels"):
        for folder in subfolders(workspace.cache(kind)):
            if folder.name.startswith("."):  # of locks
                continue
            result = StageStatus("cache", "", "", f"{kind}/{folder.name}", str(folder))
            if laid_out(folder) is not None:
                result.done = 1
            else:
                result.damaged, result.why[folder.name] = 1, "damaged or half made: it is made again when it is needed"
            found.append(result)
    return found


def _prepared(workspace: Workspace, dataset: str, split: str, verify: bool) -> StageStatus:
    result = StageStatus("prepare", dataset, split, "manifest", str(workspace.manifest(dataset, split)), done=1)
    result.rows = clips_footer(workspace, dataset, split).rows
    if verify:
        tables = [workspace.clips_file(dataset, split), workspace.videos_file(dataset, split)]
        tables += [workspace.classes_file(dataset, label) for label in LABELS]
        for file in tables:
            if file.is_file():
                require_rows(file)
    rejects = read_rows(side_path(workspace.clips_file(dataset, split), "rejects"), ["reason"])
    result.failures = dict(Counter(rejects.column("reason").to_pylist()))
    videos = workspace.videos_file(dataset, split)
    if videos.is_file():
        paths = read_videos(workspace, dataset, split, ["path"]).column("path").to_pylist()
        asked = not any(map(is_remote, workspace.datasets[dataset].roots))
        result.missing_videos = sum(
            path is None or (asked and workspace.find_video(dataset, path) is None) for path in paths
        )
        result.absent = about_absent(workspace, dataset, split)
    else:
        result.done, result.missing, result.next = 0, 1, "xmic prepare"
        result.why[videos.name] = "not made yet"
    return result


def _not_started(frames: DecodeStage) -> StageStatus:
    result = StageStatus("decode", frames.dataset, frames.split, frames.plan.slug, str(frames.folder))
    units = frames.units_by_clips()
    result.missing, result.next = len(units), frames.command
    result.why = {"all": "not started"}
    result.states = {unit.path.name: State.MISSING.value for unit in units}
    return result


def _of_frames(frames: DecodeStage, verify: bool) -> Iterator[StageStatus]:
    """Yield the status of the boxes and vectors of some frames.

    A shard records its inputs; they are compared with the inputs that are here.
    """
    workspace, place = frames.workspace, (frames.dataset, frames.split, frames.plan.slug)
    missing: list[str] = []
    try:
        shards, missing = decoded_shards(frames)
    except MissingUpstream:
        shards = []

    def found(name: str, version: int, folder: Path, what: str, made: Footer | None, command: str) -> StageStatus:
        # Without a whole shard nothing says how the folder was made: all of its shards count as missing.
        recorded = Recorded(name, version, made.params if made else {})
        boxes = made.provenance.get("detector") if made and name == EmbedStage.name else None
        items = []
        for shard in shards:
            now = {"frames": shard.footer.digest, **shard.footer.sides}
            if boxes:
                of_boxes = known_footer(workspace.hands(*place, boxes) / shard.path.name)
                now["hands"] = of_boxes.digest if of_boxes else "missing"
            items.append(inspect(recorded, Unit(shard.group, folder / shard.path.name, now), as_recorded=True))
        lacking = lacking_frames(frames, missing, folder)
        items += [Inspection(unit, State.MISSING, "its frames are not decoded yet") for unit in lacking]
        return StageStatus(name, frames.dataset, frames.split, what, str(folder)).count(items, command, verify)

    several = len(decoded_plans(workspace, *place[:2])) > 1
    plan = place[2] if several else None
    for folder in subfolders(workspace.hands(*place)):
        made = any_footer(folder)
        command = detect_command(frames, _hands_options(made, plan))
        yield found(HandsStage.name, HandsStage.version, folder, folder.name, made, command)
    for encoder in subfolders(workspace.embeddings(*place)):
        for folder in subfolders(encoder):
            made = any_footer(folder)
            facts = made.provenance if made else {}
            asked: dict[str, Any] = {"streams": "hand" if folder.name.startswith("hand-") else "full"}
            asked |= {"clip_frames": facts.get("clip_frames", 16)} if folder.name == "clip" else {}
            asked |= _crop_options(workspace, place, facts) if folder.name.startswith("hand-") else {}
            asked |= {"plan": plan} if plan else {}
            command = embed_command(workspace, *place[:2], encoder.name, facts.get("spec"), **asked)
            yield found(EmbedStage.name, EmbedStage.version, folder, f"{encoder.name}/{folder.name}", made, command)


def _hands_options(made: Footer | None, plan: str | None) -> HandsOptions:
    """Return the options that make such boxes again; files are named FILE or PATH."""
    params = made.params if made else {}
    detector = params.get("detector")
    if detector in IMPORTED:
        return HandsOptions(detector, boxes=Path("PATH"), plan=plan)
    if detector == "yolo" and calibration_of(params.get("weights_sha256")) is None:
        return HandsOptions(weights=Path("FILE"), plan=plan)
    own = isinstance(detector, str) and ":" in detector
    return HandsOptions(str(detector) if own or detector in DETECTORS else "yolo", plan=plan)


def _crop_options(workspace: Workspace, place: tuple[str, str, str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that crop by these boxes, as far as they are not the defaults."""
    detector, slug = facts.get("detector"), facts.get("crop")
    there = [folder.name for folder in subfolders(workspace.hands(*place))]
    if detector not in there or slug is None:
        return {}
    chosen = {"detector": detector} if len(there) > 1 else {}
    policy = CropPolicy.of_slug(slug)
    boxes = any_footer(workspace.hands(*place, detector))
    if policy.slug != crop_policy(boxes.provenance if boxes else {}, EmbedOptions("NAME")).slug:
        values = (policy.hand_threshold, policy.object_threshold, policy.margin, policy.fit)
        chosen |= dict(zip(("hand_threshold", "object_threshold", "crop_margin", "crop_fit"), values, strict=True))
    return chosen


def _text(workspace: Workspace, file: Path, verify: bool) -> StageStatus:
    dataset, encoder = file.parent.parent.name, file.parent.name
    made = known_footer(file)
    if made:
        params, command = made.params, text_command(workspace, dataset, made.params)
    else:
        params, command = {}, embed_command(workspace, dataset, None, encoder)
    classes = known_footer(workspace.classes_file(dataset, params.get("label", "")))
    unit = Unit(file.name, file, {"classes": classes.digest if classes else "missing"})
    item = inspect(Recorded(TextStage.name, TextStage.version, params), unit, as_recorded=True)
    result = StageStatus(TextStage.name, dataset, "", f"{encoder}/{file.stem}", str(file.parent))
    return result.count([item], command, verify)
