"""Every method on drawn worlds, by its published and by the matched recipe: accuracy, time and memory.

    python -m benchmarks.methods WORK [--size full|medium|demo] [--seeds 0 1 2] [--recipes published matched]
                                      [--methods NAME …] [--limit-minutes M] [--results FOLDER]
    python -m benchmarks.methods WORK --report benchmarks/methods.md [the same]
    python -m benchmarks.methods --quick [--recipes …] [--methods NAME …]

WORK may be that of benchmarks.pocket: both share worlds and vectors, and nothing is trained unless what is frozen there
fits. The first command does what is missing and may be stopped at any time; it makes cheap methods first, and of these
the published recipe first. Results, a small file a run, are kept below --results, which may be a folder under version
control; no result that is there is made again. --quick makes everything on a tiny world in a temporary folder, to see
that the harness works: its numbers mean nothing, and it needs nothing frozen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.command import exit_code_of, write_report
from benchmarks.methods.cells import CELLS, RECIPES, TITLES
from benchmarks.methods.report import report
from benchmarks.methods.run import ENCODER, Children, run
from benchmarks.pocket.frozen import frozen_now, require_frozen
from benchmarks.results import Results
from data_manifests.errors import UsageError
from pipelines.engine.machine import Machine

_QUICK_SEED = 1000


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 130 when the time was over."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.methods", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, nargs="?", metavar="WORK", help="folder of worlds and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of worlds and trainings")
    parser.add_argument("--size", choices=("full", "medium", "demo"), default="full", help="of a world")
    parser.add_argument("--recipes", choices=RECIPES, nargs="+", default=list(RECIPES), help="those to train by")
    parser.add_argument("--methods", choices=TITLES, nargs="+", default=list(TITLES), metavar="NAME", help="which")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="where results are kept (default: WORK/methods-results)"
    )
    parser.add_argument("--workers", type=int, default=1, help="threads of a run; processes that draw and decode")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where methods are trained")
    parser.add_argument("--limit-minutes", type=float, metavar="M", help="stop cleanly after so many minutes")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the tables of what is there, run nothing")
    parser.add_argument("--quick", action="store_true", help="a tiny world, one seed, nothing kept")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.workers)
    return exit_code_of(lambda: _act(options), "stopped; the same command goes on from here")


def _act(options: argparse.Namespace) -> int:
    if options.quick == (options.work is not None):
        raise UsageError("name a folder WORK, or pass --quick; --help says more.")
    if options.quick and options.report is not None:
        raise UsageError("--report is of a WORK; --quick prints its report.")
    now = frozen_now(ENCODER)
    cells = [cell for cell in CELLS if cell.method in options.methods and cell.recipe in (None, *options.recipes)]
    deadline = None if options.limit_minutes is None else time.monotonic() + 60 * options.limit_minutes
    machine = Machine(workers=options.workers, device=options.device)
    if options.quick:
        with tempfile.TemporaryDirectory() as name:
            results = Results(Path(name) / "results", {"frozen": now["hash"], "size": "small"})
            run(results, [_QUICK_SEED], Children(Path(name), "small", machine, deadline), cells)
            print(report(results, [_QUICK_SEED], cells))
        return 0
    folder = options.results or options.work / "methods-results"
    results = Results(folder, {"frozen": now["hash"], "size": options.size})
    if options.report is not None:
        return write_report(options.report, report(results, options.seeds, cells))
    maker = Children(options.work, options.size, machine, deadline)
    made = run(results, options.seeds, maker, cells, lambda: require_frozen(now))
    print(f"{options.work}: {made} results written, everything asked for is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
