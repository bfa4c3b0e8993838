"""``xmic evaluate``: a run's accuracy within its dataset and on others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.evaluate.options import CLIPS, EvaluateOptions
from xmic_cli import console
from xmic_cli.completion import complete_runs
from xmic_cli.evaluate_all import evaluate_all
from xmic_cli.evaluated import means_as_dicts, print_results
from xmic_cli.options import (
    BreakLock,
    Device,
    DryRun,
    Json,
    Offline,
    Trust,
    Workers,
    WorkspaceOption,
    machine_of,
    open_workspace,
)
from xmic_cli.spread import spread


@spread
def evaluate(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="Run name, folder or hf://owner/repo. (default: the newest)", autocompletion=complete_runs),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Evaluate every finished run on what it lacks an evaluation on.")
    ] = False,
    options: EvaluateOptions,
    clips: Annotated[Path | None, typer.Option(help=CLIPS)] = None,
    submission: Annotated[
        Path | None, typer.Option(help="Also write the JSON of the EPIC-KITCHENS-100 action recognition challenge.")
    ] = None,
    sls: Annotated[
        str | None,
        typer.Option(metavar="PT,TL,TD", help="With --submission: the challenge's levels of supervision, 0 to 5 each."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="The run's encoder as FAMILY:MODEL=FILE, for a method that needs its weights when they have moved."
        ),
    ] = None,
    trust: Trust = False,
    workspace: WorkspaceOption = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Evaluate at most N targets in this call.")] = None,
    break_lock: BreakLock = False,
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Compute a run's accuracy within its dataset and on others.

    All of the target's own classes compete. The numbers are top-1 with its 95 % interval over recordings, top-5, class
    mean, calibration error and actions. Across datasets, shared and novel classes also have numbers of their own: once
    among that part only, once among all classes. The harmonic mean joins the accuracy within the run's own dataset and
    that on each other dataset. Reference rows say what is reached without looking at the clips. (few) marks fewer than
    30 recordings or 100 clips; a star marks numbers that lack clips. (Wilson) marks an interval where drawing the
    recordings shows no spread, such as 0 of 12.

    With --all, what is up to date is left as it is, and a run that cannot be evaluated on a target keeps no other from
    it: the command names it and exits with 3. Run the same command again after a stop: it does what is left.
    """
    from data_manifests.errors import UsageError
    from data_manifests.schema import canonical_split
    from pipelines.engine.stage import RunPolicy
    from pipelines.evaluate.clip_list import read_clip_list
    from pipelines.evaluate.evaluation import harmonic_means
    from pipelines.evaluate.metrics_file import folder_name
    from pipelines.evaluate.run import evaluate as evaluate_run
    from pipelines.evaluate.submission import Submission, parse_levels
    from pipelines.evaluate.trained import find_run, targets_of

    if (submission is None) != (sls is None):
        raise UsageError(
            "--submission FILE and --sls PT,TL,TD belong together: the challenge asks how much supervision went into "
            "the scores (pretraining, training labels, training data; 0 to 5 each)."
        )
    if every:
        alone = {"RUN": run, "--clips": clips, "--submission": submission, "--encoder": encoder}
        alone |= {f"--{name.replace('_', '-')}": value for name, value in options.control.options.items()}
        given = [name for name, value in alone.items() if value is not None]
        if given:
            raise UsageError(
                f"--all with {', '.join(given)}: --all is the ordinary evaluation of every run; leave one out."
            )
        evaluate_all(
            open_workspace(context, workspace),
            options,
            machine_of(workers, device, offline),
            limit=limit,
            break_lock=break_lock,
            dry_run=dry_run,
            json=json,
        )
        return
    wanted = Submission(submission, parse_levels(sls)) if submission and sls else None
    listed = read_clip_list(clips) if clips else None
    space = open_workspace(context, workspace)
    found = find_run(space, run, offline=offline, trust=trust)
    targets, notes = targets_of(space, found, options.cross, canonical_split(options.split) if options.split else None)
    for text in notes:
        console.note(text)
    for words in options.control.words:
        console.note(f"a control: {words}, not each clip's own")
    targets = targets[:limit]
    if dry_run:
        console.emit({"targets": targets}, json, [f"{dataset} {part}" for dataset, part in targets])
        return
    results = evaluate_run(
        space,
        found,
        targets,
        machine_of(workers, device, offline),
        console.progress(),
        allow_mixed=options.allow_mixed,
        control=options.control,
        policy=RunPolicy(break_lock=break_lock),
        encoder=encoder,
        listed=listed,
        submission=wanted,
    )
    if submission:
        console.note(f"submission: {submission}; the challenge takes it as test.json in a zip")
    if json:
        means = means_as_dicts(harmonic_means([item.metrics for item in results]))
        values = [item.as_dict() for item in results]
        console.emit({"run": found.config["name"], "results": values, "harmonic_means": means}, True)
        return
    print_results(folder_name(found.config["name"], options.control), results)
