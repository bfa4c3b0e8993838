"""``xmic embed``: frames, hand crops and class names to raw vectors."""

from __future__ import annotations

from functools import partial

import typer

from pipelines.chain.executor_options import ExecutorOptions
from pipelines.embed.options import EmbedOptions
from xmic_cli.options import Dataset, Devices, Split, StageOptions
from xmic_cli.plans import note_plans
from xmic_cli.spread import spread


@spread
def embed(
    context: typer.Context,
    dataset: Dataset = None,
    split: Split = None,
    devices: Devices = None,
    *,
    options: EmbedOptions,
    shared: StageOptions,
    where: ExecutorOptions,
) -> None:
    """Run a frozen encoder over frames, hand crops and class names.

    The vectors are stored raw, in float16.
    """
    from pipelines.chain.stages import embed_stages
    from xmic_cli.stages import run_on_devices

    workspace = shared.open(context)
    note_plans(workspace, workspace.choose(dataset, split), options.plan)
    run_on_devices(partial(embed_stages, workspace, dataset, split, options), shared, devices, where)
