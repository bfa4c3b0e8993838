"""Heads of X-MIC on drawn worlds, declared first, in a folder, resumable.

    python -m benchmarks.heads --freeze
    python -m benchmarks.heads WORK [--seeds 20 21 22] [--limit-minutes M] [--worlds]
    python -m benchmarks.heads WORK --report benchmarks/heads.md --results benchmarks/results/heads.jsonl
    python -m benchmarks.heads --quick

The first run is --freeze, whose file is committed: it holds seeds, cells, questions, tests, the rule for the default
preset, and hashes of the world's source and of the encoder. No adapter is trained when it does not fit. --worlds only
draws and embeds, and trains nothing. The second may be stopped at any time and goes on where it was.
--quick runs all cells on a tiny world of another seed in a temporary folder, to see that the harness works.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.command import write_report
from benchmarks.heads.cells import CELLS, SEEDS, SEGMENTS, SIZE, declared
from benchmarks.heads.report import report
from benchmarks.pocket.frozen import freeze_and_tell, frozen_now, require_frozen
from benchmarks.pocket.options import QUICK_SEED, deadline_after, results_in, run_frozen, world_parser
from benchmarks.pocket.run import Chain, run
from benchmarks.result_file import results_of
from pipelines.decode.options import DecodeOptions
from pipelines.engine.machine import Machine

STORED = Path(__file__).parents[1] / "pocket-frozen-2.json"
_FRAMES = DecodeOptions(segments=SEGMENTS, candidates=1)
_BOXES = ("true", "detected")


def frozen_here(encoder: str = "pocket") -> dict[str, Any]:
    """Return what is frozen: the declaration, and the hashes of the world, the encoder and the declaration."""
    declaration = declared()
    return {**frozen_now(encoder, declaration), "declared": declaration}


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 130 when the time was over."""
    parser = world_parser("heads", __doc__, seeds=SEEDS, size=SIZE)
    parser.add_argument("--worlds", action="store_true", help="draw and embed the worlds only")
    return run_frozen(parser, STORED, arguments, _act)


def _act(options: argparse.Namespace) -> int:
    now = frozen_here()
    if options.freeze:
        return freeze_and_tell(now, STORED)
    machine = Machine(workers=options.workers, device="cpu")
    deadline = deadline_after(options.limit_minutes)
    if options.quick:
        with tempfile.TemporaryDirectory() as name:
            results = results_in(Path(name) / "heads.jsonl", now, "small")
            chain = Chain(Path(name), "small", "pocket", machine, deadline, _BOXES, _FRAMES)
            run(results, [QUICK_SEED], chain, CELLS)
            print(report(results, [QUICK_SEED]))
        return 0
    file = options.results or options.work / "heads.jsonl"
    if options.report is not None:
        found = results_of(file, f"python -m benchmarks.heads {options.work} --results {file}")
        return write_report(options.report, report(found, options.seeds))
    chain = Chain(options.work, options.size, "pocket", machine, deadline, _BOXES, _FRAMES)
    if options.worlds:
        for seed in options.seeds:
            chain.world(seed)
        return 0
    results = results_in(file, now, options.size)
    made = run(results, options.seeds, chain, CELLS, lambda: require_frozen(now, STORED))
    print(f"{options.work}: {made} results written, everything asked for is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
