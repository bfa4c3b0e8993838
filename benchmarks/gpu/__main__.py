"""Test a GPU: results against the CPU's, speed of every stage, and where the time goes.

    python -m benchmarks.gpu [--device auto|cuda|cuda:N|mps|cpu] [--seconds S] [--results FILE]
    python -m benchmarks.gpu --report benchmarks/gpu.md [--results FILE]
    python -m benchmarks.gpu --quick --device cpu

The first form takes less than 8 minutes on one H200, prints its tables and writes the results as JSON. The second one
writes the tables of such a file. A check that fails (a cosine below 0.9999, another top-1, other boxes, decoded frames
that differ by more than 1) is marked, and ends the command with exit code 1. --quick measures everything on something
tiny, to see that it works: its numbers mean nothing, and nothing is kept.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import exit_code_of, parser_of, table_section, write_report
from data_manifests.errors import InputError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.environment import versions
from pipelines.engine.machine import Machine, usable_cores

STORED = Path("benchmarks/results/gpu.json")
PARTS = {"decode": "Decode", "detect": "Detect hands", "embed": "Embed", "training": "Training steps"}
"""Module of this folder → title of its table."""
_SECONDS, _QUICK_SECONDS = 4.0, 0.05
_TRAINING = 30
"""Seconds of all training steps together, per second of one measured speed."""


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit code, 1 where a check failed."""
    parser = parser_of("gpu", __doc__)
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:N, mps or cpu")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="how long each speed is measured")
    parser.add_argument("--results", type=Path, default=STORED, metavar="FILE", help="where results are kept")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _act(options), "stopped; nothing is kept")


def _act(options: argparse.Namespace) -> int:
    if options.report is not None:
        return write_report(options.report, report(_read(options.results)))
    device = Machine(device=options.device).resolve_device()
    found = measured(device, _QUICK_SECONDS if options.quick else options.seconds, options.quick)
    print(report(found))
    if not options.quick:
        with replace_atomically(options.results) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(options.results)
    failed = [part for part, rows in found["parts"].items() if any(row.get("ok") is False for row in rows)]
    if failed:
        print(f"checks failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def measured(device: str, seconds: float, quick: bool) -> dict[str, Any]:
    """Measure all parts; 'made' says on what, 'parts' has the rows of each."""
    parts: dict[str, list[dict[str, Any]]] = {}
    took: dict[str, float] = {}
    for part in PARTS:
        if find_spec(f"benchmarks.gpu.{part}") is None:
            continue
        module = importlib.import_module(f"benchmarks.gpu.{part}")
        start = time.perf_counter()
        # The training steps share their time; each of the others is measured for so long.
        share = (_TRAINING * seconds,) if part == "training" else (seconds, quick)
        parts[part] = [dict(row) for row in module.measure(device, *share)]
        took[part] = round(time.perf_counter() - start, 1)
    return {"made": {**_machine(device), "seconds": took}, "parts": parts}


def report(found: Mapping[str, Any]) -> str:
    """Write the tables of results in Markdown."""
    made = found["made"]
    facts = [f"{name} {value}" for name, value in made["versions"].items()]
    lines = [
        "# GPU self-test",
        "",
        f"{made['device']}: {made['name']}, {made['cores']} CPU cores; {', '.join(facts)}; made in "
        f"{sum(made['seconds'].values()):.0f} s by `python -m benchmarks.gpu`.",
        "",
    ]
    for part, rows in found["parts"].items():
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[_cell(name, row.get(name)) for name in columns] for row in rows]
        lines += table_section(PARTS.get(part, part), columns, cells)
    return "\n".join(lines).rstrip() + "\n"


def _cell(column: str, value: Any) -> str:
    if column == "ok":
        return {True: "yes", False: "**NO**"}.get(value, "")
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _machine(device: str) -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu
    used: Sequence[str] = ("torch", "torchvision", "av", "open_clip_torch")
    return {"device": device, "name": name, "cores": usable_cores(), "versions": versions(*used)}


def _read(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no results yet. Run python -m benchmarks.gpu --results {file}") from None
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}). Run python -m benchmarks.gpu again.") from None
    return found


if __name__ == "__main__":
    sys.exit(main())
