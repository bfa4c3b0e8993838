"""``xmic import-features``: vectors made by other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipelines.embed.options import ImportFeaturesOptions
from xmic_cli import console
from xmic_cli.options import StageOptions
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread

if TYPE_CHECKING:
    from pipelines.decode.stage import DecodeStage


@spread
def import_features(
    context: typer.Context,
    *,
    options: ImportFeaturesOptions,
    shared: StageOptions,
) -> None:
    """Import frame and class vectors made by other programs.

    xmic train and xmic evaluate then read them like any others. Each vector has clip_id and segment (and candidate,
    where a segment has several frames), or video_id and time_s. Vectors are stored as they are and recorded as
    imported. Choose them with --encoder imported:NAME.
    """
    from data_manifests.schema import canonical_split
    from pipelines.decode.stage import DecodeStage, plan_of
    from pipelines.embed.imported import ImportFeaturesStage
    from pipelines.embed.imported_text import ImportTextStage
    from pipelines.embed.vector_files import read_vectors
    from pipelines.engine.stage import Stage
    from xmic_cli.stages import run_stages

    workspace, dataset, name = shared.open(context), options.dataset, options.name or ""
    digest = workspace.file_digests.whole
    stages: list[Stage] = []
    if options.split and (options.vectors or options.list_frames):
        split = canonical_split(options.split)
        note_plans(workspace, [(dataset, split)], options.plan)
        frames = DecodeStage(workspace, dataset, split, plan_of(workspace, dataset, split, options.plan))
        if options.list_frames:
            _print_frames(frames, shared.json)
            return
    if options.vectors:
        sha256 = "+".join(digest(file) for file in (options.vectors, options.keys) if file and file.is_file())
        source = read_vectors(options.vectors, options.keys)
        stages.append(ImportFeaturesStage(frames, name, source, sha256, options.stream, options.nearest_within))
    for label, file in options.texts:
        source = read_vectors(file)
        stages.append(ImportTextStage(workspace, dataset, label, name, source, digest(file), options.logit_scale))
    run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json)


def _print_frames(frames: DecodeStage, json: bool) -> None:
    from pipelines.embed.imported import wanted_frames
    from pipelines.engine.csv_text import csv_text

    rows = list(wanted_frames(frames))
    shared = len(rows) - len(
        {(row["video_id"], row["time_s"] if row["time_s"] is not None else number) for number, row in enumerate(rows)}
    )
    if shared:
        console.note(
            f"{shared} of {len(rows)} rows are of a frame that an earlier row is of (same video_id and time_s): "
            "each needs the same vector"
        )
    columns = ["clip_id", "segment", "candidate", "video_id", "time_s"]
    lines = csv_text(columns, [[row[column] for column in columns] for row in rows]).splitlines()
    console.emit({"frames": rows}, json, lines)
