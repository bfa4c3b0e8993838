"""What the experiments on drawn worlds are told alike: where, which worlds, and for how long."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import exit_code_of, parser_of
from benchmarks.result_file import Results
from data_manifests.errors import UsageError

QUICK_SEED = 1000
"""Of the tiny world of ``--quick``."""


def world_parser(
    module: str, description: str | None, seeds: Sequence[int] = (0, 1, 2), size: str = "full"
) -> argparse.ArgumentParser:
    """Make the parser of an experiment; :func:`results_in` opens its results.

    Args:
        module: name of the experiment.
        description: its help.
        seeds: the experiment's own.
        size: the experiment's own.
    """
    parser = parser_of(module, description)
    parser.add_argument("work", type=Path, nargs="?", metavar="WORK", help="folder of worlds and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds), help="of worlds and trainings")
    parser.add_argument("--size", choices=("full", "medium", "compact", "demo"), default=size, help="of a world")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help=f"where results are kept (default: WORK/{module}.jsonl)"
    )
    parser.add_argument("--workers", type=int, default=1, help="threads, and processes that draw and decode")
    parser.add_argument("--limit-minutes", type=float, metavar="M", help="stop cleanly after so many minutes")
    return parser


def run_frozen(
    parser: argparse.ArgumentParser,
    stored: Path,
    arguments: list[str] | None,
    act: Callable[[argparse.Namespace], int],
) -> int:
    """Run an experiment that is frozen first; the exit code, 130 when the time was over.

    Args:
        parser: of :func:`world_parser` with the experiment's own options.
        stored: file of what is frozen.
        arguments: of the command line.
        act: does what the options ask for: one of a WORK, --freeze and --quick.
    """
    parser.add_argument("--freeze", action="store_true", help=f"store, or check, what is frozen in {stored.name}")
    options = parser.parse_args(arguments)
    # A bare benchmark on a shared machine: as many threads as it was given workers.
    torch.set_num_threads(options.workers)

    def checked() -> int:
        if sum((options.freeze, options.quick, options.work is not None)) != 1:
            raise UsageError("name a folder WORK, or pass --freeze or --quick; --help says more.")
        return act(options)

    return exit_code_of(checked, "stopped; what was done is kept, and the same command goes on from here")


def results_in(file: Path, now: dict[str, Any], size: str) -> Results:
    """Open the results on worlds of a size, drawn by what is frozen.

    Args:
        file: where.
        now: from :func:`benchmarks.pocket.frozen.frozen_now`.
        size: of the worlds.
    """
    return Results(file, {"frozen": now["hash"], "size": size})


def deadline_after(minutes: float | None) -> float | None:
    """A value of ``time.monotonic()``; None = no limit."""
    return None if minutes is None else time.monotonic() + 60 * minutes
