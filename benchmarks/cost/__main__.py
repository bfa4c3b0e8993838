"""What a method costs: seconds and memory of a training step, and seconds of a test, as ratios to X-MIC.

    python -m benchmarks.cost [--methods NAME …] [--device auto|cpu|cuda] [--results FILE]
    python -m benchmarks.cost --report benchmarks/cost.md [--results FILE]
    python -m benchmarks.cost --quick

At the sizes of CLIP ViT-B/16 with 16 frames a clip, C = 100, 300 and 521 classes and B = 16 and 128 clips a step. The
encoder has random weights and the vectors are drawn: what a step costs does not depend on their values. The first form
measures what is missing and may be stopped at any time; a result is a line of the file --results, by default the one
under version control, benchmarks/results/cost.jsonl. A step that would take too long is reckoned from shorter ones, and
the report marks it. --quick measures a tiny encoder and few classes in a temporary folder, to see that the harness
works: its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import exit_code_of, parser_of, write_report
from benchmarks.cost.measure import ENCODER, QUICK_ENCODER, Lab
from benchmarks.cost.plan import METHODS, Grid, measure_all
from benchmarks.cost.report import report
from benchmarks.result_file import Results, results_of
from pipelines.engine.environment import cpu_capability, versions
from pipelines.engine.machine import Machine

STORED = Path("benchmarks/results/cost.jsonl")
QUICK = Grid((4, 8), (2, 4), 2)


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 130 when it was stopped."""
    parser = parser_of("cost", __doc__)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="NAME")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--results", type=Path, default=STORED, metavar="FILE", help="where results are kept")
    options = parser.parse_args(arguments)
    return exit_code_of(
        lambda: _act(options), "stopped; what was measured is kept, and the same command goes on from here"
    )


def _act(options: argparse.Namespace) -> int:
    if options.report is not None:
        found = results_of(options.results, f"python -m benchmarks.cost --results {options.results}")
        return write_report(options.report, report(found, Grid()))
    device = Machine(device=options.device).resolve_device()
    # One thread, so that its time is the processor's time.
    torch.set_num_threads(1)
    encoder = QUICK_ENCODER if options.quick else ENCODER
    grid = QUICK if options.quick else Grid()
    with tempfile.TemporaryDirectory() as temporary_folder:
        file = Path(temporary_folder) / "cost.jsonl" if options.quick else options.results
        results, lab = Results(file, _measured_on(encoder, device)), Lab(encoder, device)
        made = measure_all(
            results, options.methods, grid, lab.step, lab.score, lab.embed, lambda line: print(line, flush=True)
        )
        if options.quick:
            print(report(results, grid))
        else:
            print(f"{file}: {made} results written, everything asked for is there")
    return 0


def _measured_on(encoder: str, device: str) -> dict[str, Any]:
    """What seconds depend on besides the method; two results that differ in it are not compared."""
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    return {"encoder": encoder, "device": device, "machine": name, **versions("torch", "open_clip_torch")}


def _processor() -> str:
    """Its name and, since virtual ones hide theirs, what it computes with."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {cpu_capability()}"


if __name__ == "__main__":
    sys.exit(main())
