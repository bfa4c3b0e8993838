"""Every method on drawn worlds, by its published and by the matched recipe: accuracy, time and memory.

    python -m benchmarks.methods WORK [--size full|medium|demo] [--seeds 0 1 2] [--recipes published matched]
                                      [--methods NAME …] [--limit-minutes M] [--results FILE]
    python -m benchmarks.methods WORK --report benchmarks/methods.md [the same]
    python -m benchmarks.methods --quick [--recipes …] [--methods NAME …]

WORK may be that of benchmarks.pocket: both share worlds and vectors, and nothing is trained unless what is frozen there
fits. The first command does what is missing and may be stopped at any time; it makes cheap methods first, and of these
the published recipe first. Results, a line per run, are kept in the file --results, which may be under version control;
no result that is there is made again. --quick makes everything on a tiny world in a temporary folder, to see that the
harness works: its numbers mean nothing, and it needs nothing frozen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.command import exit_code_of, write_report
from benchmarks.methods.cells import CELLS, RECIPES, TITLES
from benchmarks.methods.report import report
from benchmarks.methods.run import ENCODER, Children, run
from benchmarks.pocket.frozen import frozen_now, require_frozen
from benchmarks.pocket.options import QUICK_SEED, deadline_after, results_in, world_parser
from benchmarks.result_file import results_of
from data_manifests.errors import UsageError
from pipelines.engine.machine import Machine


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 130 when the time was over."""
    parser = world_parser("methods", __doc__)
    parser.add_argument("--recipes", choices=RECIPES, nargs="+", default=list(RECIPES), help="those to train by")
    parser.add_argument("--methods", choices=TITLES, nargs="+", default=list(TITLES), metavar="NAME", help="which")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where methods are trained")
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
    deadline = deadline_after(options.limit_minutes)
    machine = Machine(workers=options.workers, device=options.device)
    if options.quick:
        with tempfile.TemporaryDirectory() as name:
            results = results_in(Path(name) / "methods.jsonl", now, "small")
            run(results, [QUICK_SEED], Children(Path(name), "small", machine, deadline), cells)
            print(report(results, [QUICK_SEED], cells))
        return 0
    file = options.results or options.work / "methods.jsonl"
    if options.report is not None:
        # Tables of what was measured, though the world's source may have changed since.
        found = results_of(file, f"python -m benchmarks.methods {options.work} --results {file}")
        return write_report(options.report, report(found, options.seeds, cells))
    results = results_in(file, now, options.size)
    maker = Children(options.work, options.size, machine, deadline)
    made = run(results, options.seeds, maker, cells, lambda: require_frozen(now))
    print(f"{options.work}: {made} results written, everything asked for is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
