"""``xmic decode``: videos to the frames of a plan."""

from __future__ import annotations

import typer

from pipelines.chain.executor_options import ExecutorOptions
from pipelines.decode.options import DecodeOptions
from xmic_cli.options import Dataset, RemoteOptions, Split, StageOptions, allow_remote
from xmic_cli.spread import spread


@spread
def decode(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    *,
    options: DecodeOptions,
    shared: StageOptions,
    remote: RemoteOptions,
    where: ExecutorOptions,
) -> None:
    """Decode the frames of every clip and keep them as JPEG.

    Each video is read once, and frames are chosen by presentation time. Each video is decoded in a process of its own:
    a video that crashes or hangs becomes a failure row.
    """
    from pipelines.chain.stages import decode_stages
    from pipelines.decode.absent import about_absent
    from xmic_cli import console
    from xmic_cli.executors import executor_of
    from xmic_cli.stages import run_stages

    allow_remote(remote.scratch, remote.scratch_size, shared.offline)
    workspace = shared.open(context)
    for name, part in workspace.choose(dataset, split):
        for sentence in about_absent(workspace, name, part):
            console.note(f"{name} {part}: {sentence}")
    with executor_of(where, shared.workers, shared.machine) as executor:
        machine = executor.machine(shared.machine, network=False)
        stages = decode_stages(workspace, dataset, split, options, machine)
        run_stages(stages, shared.policy, dry_run=shared.dry_run, json=shared.json, executor=executor)
