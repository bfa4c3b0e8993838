"""X-MIC, zero-shot CLIP and their controls on drawn worlds, in a folder, resumable.

    python -m benchmarks.pocket --freeze [--encoder SPEC]
    python -m benchmarks.pocket WORK [--seeds 0 1 2] [--size full|medium|demo] [--limit-minutes M] [--untrained]
    python -m benchmarks.pocket WORK --detected [the same]
    python -m benchmarks.pocket WORK --report benchmarks/pocket.md [--seeds 0 1 2] [--results FILE]
    python -m benchmarks.pocket --quick [--encoder SPEC]

The first run is --freeze, whose file is committed: it holds a hash of the source of the world, of the encoder's weights
and of the cells, and no adapter is trained when it does not fit. The second does what is missing and may be stopped at
any time. Worlds and runs can be made again; results, a line per cell, are kept in the file --results, which may be
under version control. --untrained measures only what trains nothing: by it and on other seeds a world may be tuned
before it is frozen. --detected adds the cells of the packaged hand model, which is younger than the freeze.
--quick runs all cells on a tiny world of another seed in a temporary folder, to see that the harness works: its numbers
mean nothing, and it needs nothing frozen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.command import write_report
from benchmarks.pocket.cells import CELLS, LATER_CELLS
from benchmarks.pocket.frozen import STORED, freeze_and_tell, frozen_now, require_frozen
from benchmarks.pocket.options import QUICK_SEED, deadline_after, results_in, run_frozen, world_parser
from benchmarks.pocket.report import report
from benchmarks.pocket.run import Chain, run
from benchmarks.result_file import results_of
from pipelines.engine.machine import Machine


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 130 when the time was over."""
    parser = world_parser("pocket", __doc__)
    parser.add_argument("--encoder", default="pocket", metavar="SPEC", help="as of xmic embed")
    parser.add_argument("--untrained", action="store_true", help="only cells that train nothing")
    parser.add_argument("--detected", action="store_true", help="also the cells on boxes of the packaged hand model")
    return run_frozen(parser, STORED, arguments, _act)


def _act(options: argparse.Namespace) -> int:
    now = frozen_now(options.encoder)
    if options.freeze:
        return freeze_and_tell(now)
    deadline = deadline_after(options.limit_minutes)
    machine = Machine(workers=options.workers, device="cpu")
    if options.quick:
        with tempfile.TemporaryDirectory() as name:
            results = results_in(Path(name) / "pocket.jsonl", now, "small")
            run(results, [QUICK_SEED], Chain(Path(name), "small", options.encoder, machine, deadline))
            print(report(results, [QUICK_SEED]))
        return 0
    file = options.results or options.work / "pocket.jsonl"
    if options.report is not None:
        # Tables of what was measured, though the world's source may have changed since.
        found = results_of(file, f"python -m benchmarks.pocket {options.work} --results {file}")
        return write_report(options.report, report(found, options.seeds))
    results = results_in(file, now, options.size)
    asked = (*CELLS, *LATER_CELLS) if options.detected else CELLS
    cells = tuple(cell for cell in asked if not (options.untrained and cell.trains))
    boxes = ("true", "random", *(("detected",) if options.detected else ()))
    chain = Chain(options.work, options.size, options.encoder, machine, deadline, boxes)
    made = run(results, options.seeds, chain, cells, lambda: require_frozen(now))
    print(f"{options.work}: {made} results written, everything asked for is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
