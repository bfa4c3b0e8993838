"""``xmic score``: predictions of any model under the same protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.evaluated import print_results
from xmic_cli.options import BreakLock, Json, WorkspaceOption, open_workspace


def score(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Parquet or CSV with clip_id and scores.")],
    dataset: Annotated[str, typer.Option(help="Prepared dataset that the scores are of.")],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    split: Annotated[str | None, typer.Option(help="Split of the dataset. (default: val, else test)")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Dataset that the model was trained on, for shared and novel classes and seen actions."),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(
            help="Count these clips only: a text file of one clip id per line, or Parquet or CSV with clip_id."
        ),
    ] = None,
    card_to: Annotated[Path | None, typer.Option(help="Also copy the result card into this folder.")] = None,
    workspace: WorkspaceOption = None,
    break_lock: BreakLock = False,
    json: Json = False,
) -> None:
    """Score the predictions of any model as xmic evaluate does.

    It needs xmic prepare only, no frames and no training. A file has one row per clip with noun_scores and/or
    verb_scores (lists in the order of the class ids), or one column per class (noun:0 or noun:cup). Several files
    together are one model's. Clips may be missing: the numbers then say how many were counted. Writes
    predictions.parquet, metrics.json and card.json, which xmic report and xmic leaderboard read.
    """
    from data_manifests.errors import MissingUpstream
    from data_manifests.schema import canonical_split
    from pipelines.engine.stage import RunPolicy
    from pipelines.evaluate.clip_list import read_clip_list
    from pipelines.evaluate.result_card import CARD, copy_card
    from pipelines.evaluate.score import ScoreRequest
    from pipelines.evaluate.score import score as score_files

    space = open_workspace(context, workspace)
    wanted = canonical_split(split) if split else None
    chosen = space.evaluation_split(dataset, wanted)
    if chosen is None:
        raise MissingUpstream(
            f"{space.root}: {dataset} has no prepared {wanted or 'val or test'} split. Run xmic prepare for it."
        )
    request = ScoreRequest(files, name, dataset, chosen, source, read_clip_list(clips) if clips else None)
    result = score_files(space, request, console.progress(), RunPolicy(break_lock=break_lock))
    card = result.folder / CARD
    copied = copy_card(card, card_to) if card_to else None
    if json:
        console.emit({**result.as_dict(), "card": str(card), "card_copy": copied and str(copied)}, True)
        return
    print_results(name, [result])
    for file in (card, copied):
        if file:
            console.note(f"card: {file}")
