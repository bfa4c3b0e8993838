"""How much slower training and embedding are beside another program, by how OpenMP's threads wait.

    python -m benchmarks.beside [--quick] [--busy 1 2] [--spins 100 1000 10000] [--threads N]

One process per way of waiting embeds drawn pictures with the packaged encoder and makes training steps of X-MIC, by
the usual threads; alone, and beside processes that keep a core busy. All in turn, round after round. A way of waiting
is libgomp's own (300,000 spins), xmic's (nothing set), OMP_WAIT_POLICY=PASSIVE, or a GOMP_SPINCOUNT. Prints seconds,
and their ratio to the same work alone with libgomp's own waiting in the same round; machines are noisy, so quote the
ratio. It says at the end whether the vectors and weights that came out are equal to the bit, as they must be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.command import markdown_table
from pipelines.engine.waiting import USERS

WORK = ("embed", "train")
PICTURES, STEPS = 128, 40
"""How much work is timed at once; an eighth of it with ``--quick``."""
CLIPS, CLASSES = 32, 40
_LIBGOMP = "libgomp's own"
_ROOT = Path(__file__).resolve().parents[1]


class Child:
    """A process that works when it is told to, its threads waiting as its environment says."""

    def __init__(self, environment: dict[str, str], quick: bool, threads: int | None) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in (*USERS, "OMP_NUM_THREADS")}
        if threads is not None:
            environment = {**environment, "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.beside", "--child", *(["--quick"] if quick else [])],
            env={**inherited, **environment},
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()  # it is ready

    def seconds(self, work: str) -> tuple[float, str]:
        """How long one of :data:`WORK` takes, and the digest of what comes out."""
        assert self._process.stdin is not None
        print(work, file=self._process.stdin, flush=True)
        seconds, digest = self._answer().split()
        return float(seconds), digest

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that works ended with {self._process.wait()}")
        return line


def serve(quick: bool) -> None:
    """The child's side: load, warm up, then work whenever a line of stdin names some."""
    import torch

    from pipelines.embed.encoders import load_encoder

    encoder = load_encoder("pocket", precision="fp32", batch_size=16, device="cpu", offline=True)
    part = 8 if quick else 1
    made = {
        "embed": lambda: _embedded(encoder, PICTURES // part),
        "train": lambda: _trained(encoder.dim, STEPS // part),
    }
    for work in WORK:
        made[work]()
    print("ready", torch.get_num_threads(), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        digest = made[line.strip()]()
        print(time.perf_counter() - start, digest, flush=True)


def _embedded(encoder: Any, count: int) -> str:
    import numpy as np

    dice = np.random.default_rng(0)
    pictures = [encoder.preprocess(dice.integers(0, 256, (256, 456, 3), np.uint8)) for _ in range(count)]
    return hashlib.sha256(encoder.embed(pictures).tobytes()).hexdigest()


def _trained(dim: int, steps: int) -> str:
    """Steps of X-MIC on made-up clips."""
    import torch

    from benchmarks.made_up_training import MadeUpTraining

    training = MadeUpTraining.of("official", dim, CLIPS, 16, CLASSES)
    for _ in range(steps):
        training.step()
    trained = [each.detach().flatten() for each in training.method.parameters() if each.requires_grad]
    return hashlib.sha256(torch.cat(trained).numpy().tobytes()).hexdigest()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that take a core each."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.2)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(ways: dict[str, dict[str, str]], beside: Sequence[int], quick: bool, threads: int | None) -> None:
    """Print every round, then the medians."""
    rounds = 1 if quick else 5
    ratios: dict[tuple[str, str, int], list[float]] = {}
    digests: dict[str, set[str]] = {work: set() for work in WORK}
    with ExitStack() as stack:
        children = {}
        for way, environment in ways.items():
            children[way] = Child(environment, quick, threads)
            stack.callback(children[way].end)
        for _ in range(rounds):
            alone: dict[str, float] = {}
            for count in (0, *beside):
                with busy(count):
                    for way, child in children.items():
                        for work in WORK:
                            seconds, digest = child.seconds(work)
                            digests[work].add(digest)
                            alone.setdefault(work, seconds)  # libgomp's own comes first, alone
                            ratios.setdefault((way, work, count), []).append(seconds / alone[work])
                            print(
                                f"{way}, {work}, beside {count}: {seconds:.2f} s: {seconds / alone[work]:.2f}",
                                flush=True,
                            )
    columns = ["waiting", *(f"{work}, beside {count}" for work in WORK for count in (0, *beside))]
    rows = [
        [way, *(f"{statistics.median(ratios[way, work, count]):.2f}" for work in WORK for count in (0, *beside))]
        for way in ways
    ]
    print(f"\nmedians of {rounds}, times of {_LIBGOMP} alone:\n\n{markdown_table(columns, rows)}")
    different = [work for work, found in digests.items() if len(found) > 1]
    print(f"results differ: {', '.join(different)}" if different else "all results are equal to the bit")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of little work")
    parser.add_argument("--busy", type=int, nargs="+", default=[1, 2], help="how many other processes")
    parser.add_argument("--spins", type=int, nargs="*", default=[100, 1000, 10_000], help="GOMP_SPINCOUNT to try")
    parser.add_argument("--threads", type=int, help="of each process; PyTorch's own choice by default")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        serve(asked.quick)
        return
    ways = {_LIBGOMP: {"GOMP_SPINCOUNT": "300000"}, "xmic's": {}, "passive": {"OMP_WAIT_POLICY": "PASSIVE"}}
    ways |= {f"{spins} spins": {"GOMP_SPINCOUNT": str(spins)} for spins in asked.spins}
    measure(ways, asked.busy, asked.quick, asked.threads)


if __name__ == "__main__":
    main()
