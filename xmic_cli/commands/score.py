"""``xmic score``: predictions of any model under the same protocols."""

from __future__ import annotations

import typer

from pipelines.evaluate.options import ScoreOptions
from xmic_cli import console
from xmic_cli.evaluated import print_results
from xmic_cli.options import BreakLock, Json, WorkspaceOption, open_workspace
from xmic_cli.spread import spread


@spread
def score(
    context: typer.Context,
    *,
    options: ScoreOptions,
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
    wanted = canonical_split(options.split) if options.split else None
    split = space.evaluation_split(options.dataset, wanted)
    if split is None:
        raise MissingUpstream(
            f"{space.root}: {options.dataset} has no prepared {wanted or 'val or test'} split. Run xmic prepare for it."
        )
    listed = read_clip_list(options.clips) if options.clips else None
    request = ScoreRequest(options.files, options.name, options.dataset, split, options.source, listed)
    result = score_files(space, request, console.progress(), RunPolicy(break_lock=break_lock))
    card = result.folder / CARD
    copied = copy_card(card, options.card_to) if options.card_to else None
    if json:
        metrics = result.as_dict()
        # An answer has a schema number of its own.
        metrics["metrics_schema"] = metrics.pop("schema")
        console.emit({**metrics, "card": str(card), "card_copy": copied and str(copied)}, True)
        return
    print_results(options.name, [result])
    for file in (card, copied):
        if file:
            console.note(f"card: {file}")
