"""X-MIC, zero-shot CLIP and their controls on drawn worlds, in a folder, resumable.

    python -m benchmarks.pocket --freeze [--encoder SPEC]
    python -m benchmarks.pocket WORK [--seeds 0 1 2] [--size full|medium|demo] [--limit-minutes M] [--untrained]
    python -m benchmarks.pocket WORK --detected [the same]
    python -m benchmarks.pocket WORK --report benchmarks/pocket.md [--seeds 0 1 2] [--size full|medium|demo]
    python -m benchmarks.pocket --quick [--encoder SPEC]

The first run is --freeze, whose file is committed: it holds a hash of the source of the world, of the encoder's weights
and of the cells, and no adapter is trained when it does not fit. The second does what is missing and may be stopped at
any time. Worlds and runs can be made again; results, a small file a cell, are kept below --results, which may be a
folder under version control. --untrained measures only what trains nothing: by it and on other seeds a world may be
tuned before it is frozen. --detected adds the cells of the packaged hand model, which is younger than the freeze.
--quick runs all cells on a tiny world of another seed in a temporary folder, to see that the harness works: its numbers
mean nothing, and it needs nothing frozen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.command import exit_code_of, write_report
from benchmarks.pocket.cells import CELLS, LATER_CELLS
from benchmarks.pocket.frozen import STORED, freeze, frozen_now, require_frozen
from benchmarks.pocket.report import report
from benchmarks.pocket.run import Chain, run
from benchmarks.results import Results
from data_manifests.errors import UsageError
from pipelines.engine.machine import Machine

_QUICK_SEED = 1000


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 130 when the time was over."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pocket", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, nargs="?", metavar="WORK", help="folder of worlds, runs and results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of worlds and trainings")
    parser.add_argument("--size", choices=("full", "medium", "demo"), default="full", help="of a world")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where results are kept (default: WORK/results)")
    parser.add_argument("--encoder", default="pocket", metavar="SPEC", help="as of xmic embed")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw and decode")
    parser.add_argument("--limit-minutes", type=float, metavar="M", help="stop cleanly after so many minutes")
    parser.add_argument("--untrained", action="store_true", help="only cells that train nothing")
    parser.add_argument("--detected", action="store_true", help="also the cells on boxes of the packaged hand model")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write the tables of what is there, and run nothing"
    )
    parser.add_argument("--freeze", action="store_true", help=f"store, or check, the hash in {STORED.name}")
    parser.add_argument("--quick", action="store_true", help="a tiny world, one seed, all cells, nothing kept")
    options = parser.parse_args(arguments)
    # A bare benchmark on a shared machine: as many threads as it was given workers.
    torch.set_num_threads(options.workers)
    return exit_code_of(lambda: _act(options), "stopped; what was done is kept, and the same command goes on from here")


def _act(options: argparse.Namespace) -> int:
    if sum((options.freeze, options.quick, options.work is not None)) != 1:
        raise UsageError("name a folder WORK, or pass --freeze or --quick; --help says more.")
    now = frozen_now(options.encoder)
    if options.freeze:
        stored = freeze(now)
        print(f"{now['hash']}  {STORED}: {'stored' if stored else 'as it was frozen'}")
        return 0
    deadline = None if options.limit_minutes is None else time.monotonic() + 60 * options.limit_minutes
    machine = Machine(workers=options.workers, device="cpu")
    if options.quick:
        with tempfile.TemporaryDirectory() as name:
            results = Results(Path(name) / "results", {"frozen": now["hash"], "size": "small"})
            run(results, [_QUICK_SEED], Chain(Path(name), "small", options.encoder, machine, deadline))
            print(report(results, [_QUICK_SEED]))
        return 0
    folder = options.results or options.work / "results"
    results = Results(folder, {"frozen": now["hash"], "size": options.size})
    if options.report is not None:
        return write_report(options.report, report(results, options.seeds))
    asked = (*CELLS, *LATER_CELLS) if options.detected else CELLS
    cells = tuple(cell for cell in asked if not (options.untrained and cell.trains))
    chain = Chain(options.work, options.size, options.encoder, machine, deadline, options.detected)
    made = run(results, options.seeds, chain, cells, lambda: require_frozen(now))
    print(f"{options.work}: {made} results written, everything asked for is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
