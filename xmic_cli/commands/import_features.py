"""``xmic import-features``: vectors made by other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.decode.options import PLAN
from pipelines.engine.options import Doc
from xmic_cli import console
from xmic_cli.options import StageOptions
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread

if TYPE_CHECKING:
    from pipelines.decode.stage import DecodeStage


@spread
def import_features(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A prepared dataset.")],
    name: Annotated[str, typer.Option(help="Name of their encoder; the same for every split and dataset.")] = "",
    vectors: Annotated[
        Path | None, typer.Option(help="Frame vectors: .npy, .npz or .pt (never executed); needs --split.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Table with one row per vector, for a file of vectors only.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of the vectors: train, val or test.")] = None,
    stream: Annotated[Literal["full", "hand"], Doc("Vectors of full frames or of hand crops.")] = "full",
    nearest_within: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Longest time between a frame and its nearest row. (default: 1 ms, else refused)",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="noun=FILE", help="Class vectors with their names; once for noun and once for verb."),
    ] = None,
    logit_scale: Annotated[float | None, typer.Option(help="Factor by which their encoder multiplies cosines.")] = None,
    plan: Annotated[str | None, typer.Option(help=PLAN)] = None,
    list_frames: Annotated[
        bool, typer.Option("--list-frames", help="Print the frames of --split that need vectors, as CSV.")
    ] = False,
    *,
    shared: StageOptions,
) -> None:
    """Import frame and class vectors made by other programs.

    xmic train and xmic evaluate then read them like any others. Each vector has clip_id and segment (and candidate,
    where a segment has several frames), or video_id and time_s. Vectors are stored as they are and recorded as
    imported. Choose them with --encoder imported:NAME.
    """
    from data_manifests.errors import UsageError
    from data_manifests.schema import canonical_split
    from pipelines.decode.stage import DecodeStage, plan_of
    from pipelines.embed.imported import ImportFeaturesStage
    from pipelines.embed.imported_text import ImportTextStage
    from pipelines.embed.vector_files import read_vectors
    from pipelines.engine.stage import Stage
    from xmic_cli.stages import run_stages

    workspace = shared.open(context)
    if (vectors or list_frames) and not split:
        raise UsageError("--split is missing: train, val or test.")
    chosen = canonical_split(split) if split else ""
    if list_frames or vectors:
        note_plans(workspace, [(dataset, chosen)], plan)
    if list_frames:
        _print_frames(DecodeStage(workspace, dataset, chosen, plan_of(workspace, dataset, chosen, plan)), shared.json)
        return
    if not vectors and not text:
        raise UsageError("nothing to import: name --vectors FILE, --text noun=FILE, or both.")
    if not name:
        raise UsageError("--name is missing: what to call the encoder of these vectors.")
    if stream not in ("full", "hand"):
        raise UsageError(f"--stream {stream}: expected full or hand")
    digest = workspace.file_digests.whole
    stages: list[Stage] = []
    if vectors:
        frames = DecodeStage(workspace, dataset, chosen, plan_of(workspace, dataset, chosen, plan))
        sha256 = "+".join(digest(file) for file in (vectors, keys) if file and file.is_file())
        source = read_vectors(vectors, keys)
        stages.append(ImportFeaturesStage(frames, name, source, sha256, stream, nearest_within))
    for item in text or []:
        label, equals, file = item.partition("=")
        if label not in ("noun", "verb") or not equals:
            raise UsageError(f"--text {item}: expected noun=FILE or verb=FILE")
        source = read_vectors(Path(file))
        stages.append(
            ImportTextStage(workspace, dataset, label, name, source, digest(Path(file)), logit_scale)  # type: ignore[arg-type]
        )
    run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json)


def _print_frames(frames: DecodeStage, json: bool) -> None:
    from pipelines.embed.imported import wanted_frames
    from pipelines.engine.csv_text import csv_text

    rows = list(wanted_frames(frames))
    columns = ["clip_id", "segment", "candidate", "video_id", "time_s"]
    lines = csv_text(columns, [[row[column] for column in columns] for row in rows]).splitlines()
    console.emit({"frames": rows}, json, lines)
