"""``status``: what is done, stale, missing or failed in a workspace, and why. Reads footers, loads no model."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream, UsageError
from data_manifests.schema import LABELS
from pipelines.decode.stage import Decoded, DecodeStage, decoded_plans, decoded_shards, default_plan
from pipelines.embed.encoders.spec import encoder_option
from pipelines.embed.stage import EmbedStage
from pipelines.embed.text import TextStage, text_command
from pipelines.engine.command_lines import in_workspace, of_split
from pipelines.engine.locks import holder_of
from pipelines.engine.shards import (
    DamagedShard,
    Footer,
    any_footer,
    read_footer,
    read_rows,
    rows_digest,
    set_aside,
    side_path,
)
from pipelines.engine.stage import Inspection, State, Unit, inspect
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import parse_folder_name
from pipelines.evaluate.predictions_file import GIVEN, SCORE, SCORE_VERSION, manifest_inputs
from pipelines.hands.detector import IMPORTED
from pipelines.hands.imported import inputs_remembered
from pipelines.hands.stage import HandsStage
from pipelines.train.finished import is_summarised, what_is_damaged, what_it_learned_from_has_changed


@dataclass(frozen=True)
class Recorded:
    """A stage as its shards remember it: enough to tell whether they are up to date."""

    name: str
    version: int
    params: Mapping[str, Any]
    folder: Path
    shards: list[Unit]

    def units(self) -> list[Unit]:
        """The shards there should be."""
        return self.shards


@dataclass
class StageStatus:
    """How the shards of one stage folder stand."""

    stage: str
    dataset: str
    split: str
    what: str
    folder: str
    done: int = 0
    stale: int = 0
    missing: int = 0
    damaged: int = 0
    incomplete: int = 0
    rows: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    missing_videos: int = 0
    why: dict[str, str] = field(default_factory=dict)
    """Shard → why it is not done."""
    next: str = ""
    """The command to run, when something is to be done."""


def status(workspace: Workspace, *, verify: bool = False) -> list[StageStatus]:
    """Every stage of every prepared split.

    Args:
        workspace: the workspace.
        verify: read every done shard through and compare its rows with their digest; a damaged one
            is set aside, so that its stage makes it again.

    Raises:
        MissingUpstream: nothing is prepared.
    """
    found: list[StageStatus] = []
    for dataset, split in workspace.choose(None):
        found.append(_prepared(workspace, dataset, split))
        plans = list(decoded_plans(workspace, dataset, split).values())
        if not plans:
            found.append(_not_started(DecodeStage(workspace, dataset, split, default_plan(split))))
        for plan in plans:
            frames = DecodeStage(workspace, dataset, split, plan)
            found.append(_summarise(frames, "decode", frames, plan.slug, frames.command, verify))
            for recorded, what, command in _of_frames(frames):
                found.append(_summarise(recorded, recorded.name, frames, what, command, verify))
    found += list(_texts(workspace, verify))
    found += list(_runs(workspace, verify))
    found += list(_evaluations(workspace, verify))
    return found


def _folders(parent: Path) -> Iterator[tuple[Path, Footer | None]]:
    """For every folder below ``parent``: the folder and the footer of one of its shards, None when it has none."""
    for folder in sorted(parent.iterdir()) if parent.is_dir() else []:
        yield folder, any_footer(folder)


def _of_frames(frames: DecodeStage) -> Iterator[tuple[Recorded, str, str]]:
    try:
        shards = decoded_shards(frames)[0]
    except MissingUpstream:
        shards = []
    where = Path(frames.dataset) / frames.split / frames.plan.slug
    root = frames.workspace.root
    tail = of_split(frames.dataset, frames.split, root)
    for folder, footer in _folders(root / "hands" / where):
        units = [Unit(s.group, folder / s.path.name, _hands_inputs(s, folder / s.path.name)) for s in shards]
        # A folder without a whole shard no longer says how it was made: all of it is missing.
        params = footer.params if footer else {}
        recorded = Recorded("detect-hands", HandsStage.version, params, folder, units)
        detector = params.get("detector")
        source = f" --detector {detector} --boxes PATH" if detector in IMPORTED else ""
        yield recorded, folder.name, f"xmic detect-hands {tail}{source}"
    embeddings = root / "embeddings" / where
    for encoder in sorted(embeddings.iterdir()) if embeddings.is_dir() else []:
        for folder, footer in _folders(encoder):
            provenance = footer.provenance if footer else {}
            units = [
                Unit(
                    s.group,
                    folder / s.path.name,
                    _embed_inputs(s, provenance.get("detector"), root / "hands" / where) | _clip_inputs(s, folder),
                )
                for s in shards
            ]
            recorded = Recorded("embed", EmbedStage.version, footer.params if footer else {}, folder, units)
            spec = f" {encoder_option(frames.workspace, encoder.name, provenance.get('spec'))}"
            stream = "hand" if folder.name.startswith("hand-") else "full"
            clips = f" --clip-frames {provenance.get('clip_frames', 16)}" if folder.name == "clip" else ""
            yield recorded, f"{encoder.name}/{folder.name}", f"xmic embed {tail}{spec} --streams {stream}{clips}"


def _hands_inputs(frames: Decoded, path: Path) -> dict[str, str]:
    with suppress(FileNotFoundError, InputError):
        return inputs_remembered(frames, read_footer(path))
    return {}


def _clip_inputs(frames: Decoded, folder: Path) -> dict[str, str]:
    return {"clip_frames": frames.footer.sides["clip_frames"]} if folder.name == "clip" else {}


def _embed_inputs(frames: Decoded, detector: str | None, hands: Path) -> dict[str, str]:
    inputs = {"frames": frames.footer.digest}
    if detector:
        inputs["hands"] = "missing"
        with suppress(FileNotFoundError, InputError):
            inputs["hands"] = read_footer(hands / detector / frames.path.name).digest
    return inputs


def _summarise(stage: Any, name: str, frames: DecodeStage, what: str, command: str, verify: bool) -> StageStatus:
    result = StageStatus(name, frames.dataset, frames.split, what, str(stage.folder))
    for unit in stage.units():
        item = inspect(stage, unit)
        if verify and item.state is State.DONE:
            item = _verified(item)
        _count(result, item)
    if result.why:
        result.next = command
    return result


def _count(result: StageStatus, item: Inspection) -> None:
    setattr(result, item.state.value, getattr(result, item.state.value) + 1)
    if item.state is not State.DONE:
        result.why[item.unit.path.name] = item.why
    if item.footer is not None and item.state in (State.DONE, State.INCOMPLETE):
        result.rows += item.footer.rows
        for reason, count in item.footer.failures.items():
            result.failures[reason] = result.failures.get(reason, 0) + count


def _verified(item: Inspection) -> Inspection:
    """Read a shard and its side parts through."""
    assert item.footer is not None
    path = item.unit.path
    for file, digest in [
        (path, item.footer.digest),
        *((side_path(path, s), d) for s, d in item.footer.sides.items()),
    ]:
        try:
            if rows_digest(file) == digest:
                continue
            set_aside(file)
            why = f"the rows of {file.name} are not those that were written; renamed {file.name}.damaged"
        except DamagedShard as error:
            why = str(error)
        return Inspection(item.unit, State.DAMAGED, why)
    return item


def _prepared(workspace: Workspace, dataset: str, split: str) -> StageStatus:
    folder = workspace.manifest(dataset, split)
    result = StageStatus("prepare", dataset, split, "manifest", str(folder), done=1)
    result.rows = read_footer(folder / "clips.parquet").rows
    result.failures = dict(Counter(read_rows(folder / "rejects.parquet").column("reason").to_pylist()))
    if (folder / "videos.parquet").is_file():
        paths = read_rows(folder / "videos.parquet").column("path").to_pylist()
        result.missing_videos = sum(path is None or workspace.find_video(dataset, path) is None for path in paths)
    else:
        result.done, result.missing, result.next = 0, 1, "xmic prepare"
        result.why["videos.parquet"] = "not made yet"
    return result


def _not_started(frames: DecodeStage) -> StageStatus:
    units = frames.units_by_clips()
    result = StageStatus("decode", frames.dataset, frames.split, frames.plan.slug, str(frames.folder))
    result.missing, result.next = len(units), frames.command
    result.why = {"all": "not started"}
    return result


def _texts(workspace: Workspace, verify: bool) -> Iterator[StageStatus]:
    folder = workspace.root / "text"
    for file in sorted(folder.glob("*/*/*.parquet")):
        dataset, encoder = file.parent.parent.name, file.parent.name
        result = StageStatus("embed text", dataset, "", f"{encoder}/{file.stem}", str(file.parent))
        made_by = encoder_option(workspace, encoder)
        command = f"xmic embed {shlex.quote(dataset)} {in_workspace(workspace.root)} {made_by}"
        try:
            footer = read_footer(file)
            label, command = footer.params["label"], text_command(workspace, dataset, footer.params)
            classes = read_footer(workspace.classes_file(dataset, label)).digest
            recorded = Recorded("embed text", TextStage.version, footer.params, file.parent, [])
            item = inspect(recorded, Unit(file.name, file, {"classes": classes}))  # type: ignore[arg-type]
        except (DamagedShard, FileNotFoundError) as error:
            item = Inspection(Unit(file.name, file, {}), State.DAMAGED, str(error))
        _count(result, _verified(item) if verify and item.state is State.DONE else item)
        result.next = command if result.why else ""
        yield result


def _runs(workspace: Workspace, verify: bool) -> Iterator[StageStatus]:
    folder = workspace.root / "runs"
    for run in sorted(folder.iterdir()) if folder.is_dir() else []:
        if run.is_symlink() or not run.is_dir():
            continue
        result = StageStatus("train", "", "", run.name, str(run))
        for label in LABELS:
            head = run / label
            if not head.is_dir():
                continue
            damage = what_is_damaged(head) if verify else None
            changed = what_it_learned_from_has_changed(workspace, head)
            if damage:
                result.damaged += 1
                result.why[label] = f"{damage}; the same xmic train trains it again"
            elif changed:
                result.stale += 1
                result.why[label] = f"the clips or labels of {changed} have changed since; xmic train makes a new run"
            elif is_summarised(head):
                result.done += 1
            else:
                result.missing += 1
                result.why[label] = _why_unfinished(head)
        yield result


def _why_unfinished(head: Path) -> str:
    holder = holder_of(head)
    if holder:
        return f"{holder} trains it"
    return "stopped, goes on with the same command" if any(head.rglob("state.pt")) else "not trained yet"


def _is_scored(file: Path) -> bool:
    try:
        return read_footer(file).stage == SCORE
    except DamagedShard:
        return False


def _given_scores(workspace: Workspace, file: Path, verify: bool) -> StageStatus:
    """Of what ``xmic score`` was given, its digest is all that is here; clips and classes may have changed since."""
    name, (dataset, _, split) = file.parent.parent.name, file.parent.name.rpartition("-")
    result = StageStatus(SCORE, dataset, split, name, str(file.parent))
    footer = read_footer(file)
    try:
        inputs = {**manifest_inputs(workspace, dataset, split), GIVEN: footer.inputs[GIVEN]}
        unit = Unit(file.name, file, inputs)
        item = inspect(Recorded(SCORE, SCORE_VERSION, footer.params, file.parent, [unit]), unit)  # type: ignore[arg-type]
    except (FileNotFoundError, InputError) as error:
        item = Inspection(Unit(file.name, file, {}), State.STALE, str(error))
    _count(result, _verified(item) if verify and item.state is State.DONE else item)
    again = f"--dataset {shlex.quote(dataset)} --split {split} --name {shlex.quote(name)}"
    result.next = f"xmic score FILE {again} {in_workspace(workspace.root)}" if result.why else ""
    return result


def _evaluations(workspace: Workspace, verify: bool) -> Iterator[StageStatus]:
    files = sorted((workspace.root / "evaluations").glob("*/*/predictions.parquet"))
    if not files:
        return
    # Only here, since it brings torch along.
    from pipelines.evaluate.controls import checked_vectors
    from pipelines.evaluate.stage import evaluation_stage
    from pipelines.evaluate.trained import find_run

    for file in files:
        if _is_scored(file):
            yield _given_scores(workspace, file, verify)
            continue
        folder, target = file.parent.parent.name, file.parent.name
        run, vectors = parse_folder_name(folder)
        dataset, _, split = target.rpartition("-")
        result = StageStatus("evaluate", dataset, split, folder, str(file.parent))
        try:
            found = find_run(workspace, run)
            stage = evaluation_stage(workspace, found, dataset, split, checked_vectors(vectors, found.config))
            item = inspect(stage, stage.units()[0])
        except (InputError, MissingUpstream, UsageError) as error:
            item = Inspection(Unit(file.name, file, {}), State.STALE, str(error))
        _count(result, _verified(item) if verify and item.state is State.DONE else item)
        option = "" if vectors == "own" else f" --xmic-vector {vectors}"
        again = f"xmic evaluate {shlex.quote(run)} --cross {shlex.quote(dataset)}{option}"
        result.next = f"{again} {in_workspace(workspace.root)}" if result.why else ""
        yield result
