"""How fast a training step of X-MIC is on one thread and on all, by the arithmetic of its forward pass.

    python -m benchmarks.threads [--quick] [--threads 1 2]

Steps of made-up clips, from small to large. Printed are milliseconds of wall time per step, medians; the rivals take
turns. ``pipelines/train/threads.py`` gives a thread for every 1e9 operations: the last column is what it chooses.
Run it beside another program (``python -c "while True: pass"``) too: threads then wait for the one that has no core.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from benchmarks.command import markdown_table
from pipelines.engine.waiting import wait_briefly

SIZES = [(256, 8, 8, 28), (256, 32, 8, 28), (512, 8, 16, 300), (512, 32, 16, 300), (512, 128, 16, 300)]
"""(width, clips, frames, classes)."""


def milliseconds(step: Callable[[], None], threads: int, count: int) -> float:
    """Median time of a step."""
    import torch

    torch.set_num_threads(threads)
    step()
    seconds = []
    for _ in range(count):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(seconds)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two smallest, few steps")
    parser.add_argument("--threads", type=int, nargs="+", help="1 and PyTorch's own number by default")
    asked = parser.parse_args()
    wait_briefly()  # before PyTorch is loaded
    import torch

    from benchmarks.made_up_training import MadeUpTraining
    from pipelines.train.threads import threads_for

    threads, rounds = sorted(set(asked.threads or [1, torch.get_num_threads()])), 1 if asked.quick else 3
    rows = []
    for width, clips, frames, classes in SIZES[:2] if asked.quick else SIZES:
        training = MadeUpTraining.of("recommended", width, clips, frames, classes)
        count = 3 if asked.quick or clips > 100 else 12
        found = [[milliseconds(training.step, number, count) for number in threads] for _ in range(rounds)]
        medians = [f"{statistics.median(times):.0f}" for times in zip(*found, strict=True)]
        torch.set_num_threads(max(threads))
        chosen = threads_for(training.forward, max(threads))
        rows.append([str(width), str(clips), str(frames), str(classes), *medians, str(chosen)])
    columns = ["width", "clips", "frames", "classes", *(f"{number} threads, ms" for number in threads), "chosen"]
    print(markdown_table(columns, rows))


if __name__ == "__main__":
    main()
