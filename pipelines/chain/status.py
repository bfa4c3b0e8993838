"""Find what is done, stale, missing or failed in a workspace.

Footers are read, and no model is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream, UsageError
from data_manifests.schema import LABELS
from pipelines.decode.stage import DecodeStage, decoded_plans, decoded_shards, default_plan
from pipelines.embed.encoders.spec import embed_command
from pipelines.embed.stage import EmbedStage
from pipelines.embed.text import TextStage, text_command
from pipelines.engine.clips import clips_footer, read_videos
from pipelines.engine.command_lines import command_line, in_workspace
from pipelines.engine.inspection import Inspection, State, Unit, inspect
from pipelines.engine.locks import holder_of
from pipelines.engine.shards import (
    DamagedShard,
    Footer,
    any_footer,
    known_footer,
    read_rows,
    rows_digest,
    set_aside,
    side_path,
)
from pipelines.engine.workspace import Workspace, subfolders
from pipelines.evaluate.metrics_file import parse_folder_name
from pipelines.evaluate.options import ScoreOptions
from pipelines.evaluate.predictions_file import SCORE, SCORE_VERSION, manifest_inputs
from pipelines.hands.options import IMPORTED, HandsOptions
from pipelines.hands.stage import HandsStage, detect_command
from pipelines.train.finished import is_summarised, what_is_damaged, what_it_learned_from_has_changed


@dataclass
class StageStatus:
    """Counts of the shards of one stage folder by state."""

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

    def count(self, items: Iterable[Inspection], command: str, verify: bool) -> StageStatus:
        """Count shards by state.

        ``command`` makes those that are not done. With ``verify`` the rows of done shards are checked.
        """
        for item in items:
            self._add(_verified(item) if verify and item.state is State.DONE else item)
        self.next = command if self.why else ""
        return self

    def _add(self, item: Inspection) -> None:
        setattr(self, item.state.value, getattr(self, item.state.value) + 1)
        if item.state is not State.DONE:
            self.why[item.unit.path.name] = item.why
        if item.footer is not None and item.state in (State.DONE, State.INCOMPLETE):
            self.rows += item.footer.rows
            for reason, count in item.footer.failures.items():
                self.failures[reason] = self.failures.get(reason, 0) + count


def status(workspace: Workspace, *, verify: bool = False) -> list[StageStatus]:
    """Find the status of every stage of every prepared split.

    Args:
        workspace: the workspace.
        verify: read every done shard in full and compare its rows with their digest; a damaged shard is set aside, so
            that its stage makes it again.

    Raises:
        MissingUpstream: no dataset is prepared.
    """
    found: list[StageStatus] = []
    for dataset, split in workspace.choose(None):
        found.append(_prepared(workspace, dataset, split))
        plans = list(decoded_plans(workspace, dataset, split).values())
        if not plans:
            found.append(_not_started(DecodeStage(workspace, dataset, split, default_plan(split))))
        for plan in plans:
            frames = DecodeStage(workspace, dataset, split, plan)
            result = StageStatus("decode", dataset, split, plan.slug, str(frames.folder))
            found.append(result.count((inspect(frames, unit) for unit in frames.units()), frames.command, verify))
            found += _of_frames(frames, verify)
    found += [_text(workspace, file, verify) for file in workspace.texts()]
    found += [_run(workspace, folder, verify) for folder in workspace.run_folders()]
    files = sorted(workspace.evaluations.glob("*/*/predictions.parquet"))
    return found + [_evaluation(workspace, file, verify) for file in files]


def _prepared(workspace: Workspace, dataset: str, split: str) -> StageStatus:
    result = StageStatus("prepare", dataset, split, "manifest", str(workspace.manifest(dataset, split)), done=1)
    result.rows = clips_footer(workspace, dataset, split).rows
    rejects = read_rows(side_path(workspace.clips_file(dataset, split), "rejects"), ["reason"])
    result.failures = dict(Counter(rejects.column("reason").to_pylist()))
    videos = workspace.videos_file(dataset, split)
    if videos.is_file():
        paths = read_videos(workspace, dataset, split, ["path"]).column("path").to_pylist()
        result.missing_videos = sum(path is None or workspace.find_video(dataset, path) is None for path in paths)
    else:
        result.done, result.missing, result.next = 0, 1, "xmic prepare"
        result.why[videos.name] = "not made yet"
    return result


def _not_started(frames: DecodeStage) -> StageStatus:
    result = StageStatus("decode", frames.dataset, frames.split, frames.plan.slug, str(frames.folder))
    result.missing, result.next = len(frames.units_by_clips()), frames.command
    result.why = {"all": "not started"}
    return result


@dataclass(frozen=True)
class _Recorded:
    """Name, version and parameters of a stage as its shards recorded them.

    They are enough to tell whether the shards are up to date.
    """

    name: str
    version: int
    params: Mapping[str, Any]


def _of_frames(frames: DecodeStage, verify: bool) -> Iterator[StageStatus]:
    """Yield the status of the boxes and vectors of some frames.

    A shard records its inputs; they are compared with the inputs that are here.
    """
    workspace, place = frames.workspace, (frames.dataset, frames.split, frames.plan.slug)
    try:
        shards = decoded_shards(frames)[0]
    except MissingUpstream:
        shards = []

    def found(name: str, version: int, folder: Path, what: str, made: Footer | None, command: str) -> StageStatus:
        # Without a whole shard nothing says how the folder was made: all of its shards count as missing.
        recorded = _Recorded(name, version, made.params if made else {})
        boxes = made.provenance.get("detector") if made and name == EmbedStage.name else None
        items = []
        for shard in shards:
            now = {"frames": shard.footer.digest, **shard.footer.sides}
            if boxes:
                of_boxes = known_footer(workspace.hands(*place, boxes) / shard.path.name)
                now["hands"] = of_boxes.digest if of_boxes else "missing"
            items.append(inspect(recorded, Unit(shard.group, folder / shard.path.name, now), as_recorded=True))
        return StageStatus(name, frames.dataset, frames.split, what, str(folder)).count(items, command, verify)

    for folder in subfolders(workspace.hands(*place)):
        made = any_footer(folder)
        detector = made.params.get("detector") if made else None
        options = HandsOptions(detector, boxes=Path("PATH")) if detector in IMPORTED else HandsOptions()
        command = detect_command(frames, options)
        yield found(HandsStage.name, HandsStage.version, folder, folder.name, made, command)
    for encoder in subfolders(workspace.embeddings(*place)):
        for folder in subfolders(encoder):
            made = any_footer(folder)
            facts = made.provenance if made else {}
            asked: dict[str, Any] = {"streams": "hand" if folder.name.startswith("hand-") else "full"}
            asked |= {"clip_frames": facts.get("clip_frames", 16)} if folder.name == "clip" else {}
            command = embed_command(workspace, *place[:2], encoder.name, facts.get("spec"), **asked)
            yield found(EmbedStage.name, EmbedStage.version, folder, f"{encoder.name}/{folder.name}", made, command)


def _text(workspace: Workspace, file: Path, verify: bool) -> StageStatus:
    dataset, encoder = file.parent.parent.name, file.parent.name
    made = known_footer(file)
    if made:
        params, command = made.params, text_command(workspace, dataset, made.params)
    else:
        params, command = {}, embed_command(workspace, dataset, None, encoder)
    classes = known_footer(workspace.classes_file(dataset, params.get("label", "")))
    unit = Unit(file.name, file, {"classes": classes.digest if classes else "missing"})
    item = inspect(_Recorded(TextStage.name, TextStage.version, params), unit, as_recorded=True)
    result = StageStatus(TextStage.name, dataset, "", f"{encoder}/{file.stem}", str(file.parent))
    return result.count([item], command, verify)


def _run(workspace: Workspace, run: Path, verify: bool) -> StageStatus:
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
    return result


def _why_unfinished(head: Path) -> str:
    holder = holder_of(head)
    if holder:
        return f"{holder} trains it"
    return "stopped, goes on with the same command" if any(head.rglob("state.pt")) else "not trained yet"


def _evaluation(workspace: Workspace, file: Path, verify: bool) -> StageStatus:
    name, (dataset, _, split) = file.parent.parent.name, file.parent.name.rpartition("-")
    made = known_footer(file)
    scored = made is not None and made.stage == SCORE
    result = StageStatus(SCORE if scored else "evaluate", dataset, split, name, str(file.parent))
    if scored:
        command = command_line("score", ScoreOptions(files=(Path("FILE"),), dataset=dataset, split=split, name=name))
    else:
        run, control = parse_folder_name(name)
        # The value may be a word that is refused.
        option = [word for key, value in control.options.items() for word in (f"--{key.replace('_', '-')}", value)]
        command = command_line("evaluate", None, run, "--cross", dataset, *option)
    try:
        if made and scored:
            # Only the digest of the given files is here; clips and classes may have changed since.
            unit = Unit(file.name, file, manifest_inputs(workspace, dataset, split))
            item = inspect(_Recorded(SCORE, SCORE_VERSION, made.params), unit, as_recorded=True)
        else:
            item = _of_run(workspace, name, dataset, split)
    except (FileNotFoundError, InputError, MissingUpstream, UsageError) as error:
        item = Inspection(Unit(file.name, file, {}), State.STALE, str(error))
    return result.count([item], f"{command} {in_workspace(workspace.root)}", verify)


def _of_run(workspace: Workspace, name: str, dataset: str, split: str) -> Inspection:
    # Imported here, since it imports torch.
    from pipelines.evaluate.controls import checked_control
    from pipelines.evaluate.stage import evaluation_stage
    from pipelines.evaluate.trained import find_run

    run, control = parse_folder_name(name)
    found = find_run(workspace, run)
    stage = evaluation_stage(workspace, found, dataset, split, checked_control(control, found.config))
    return inspect(stage, stage.units()[0])


def _verified(item: Inspection) -> Inspection:
    """Compare a shard's rows and side parts with their digests."""
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
