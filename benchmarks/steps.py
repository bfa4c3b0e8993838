"""How much faster a training step of X-MIC is with attention as products than with the framework's fused kernel.

    python -m benchmarks.steps [--quick]

A step is forward, backward and AdamW on random vectors, with the official settings, 300 classes and 128 clips. Both
rivals run in one process on one thread, in random order in every round. Printed are the median CPU seconds of a step
and the median over the rounds of their ratio; machines are noisy, so quote the ratio.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.command import markdown_table
from benchmarks.made_up_training import MadeUpTraining
from pipelines.methods import blocks
from pipelines.train.options import TrainPrecision

CLASSES, CLIPS, DIM = 300, 128, 512
FRAMES = (16, 8)
PRECISIONS: tuple[TrainPrecision, ...] = ("fp32", "bf16")


def fused(attention: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """The framework's own way."""
    attended: Tensor = attention(tokens, tokens, tokens, need_weights=False)[0]
    return attended


def measure(frames: int, precision: TrainPrecision, rounds: int) -> list[str]:
    """One row of the table."""
    training = MadeUpTraining.of("official", DIM, CLIPS, frames, CLASSES)
    rivals = {"products": blocks._attend, "fused": fused}
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for round_ in range(rounds + 1):
        for name in random.sample(list(rivals), len(rivals)):
            with mock.patch.object(blocks, "_attend", rivals[name]):
                begun = time.process_time()
                training.step(precision)
                if round_:  # the first one warms up
                    found[name].append(time.process_time() - begun)
    ratios = [slow / fast for slow, fast in zip(found["fused"], found["products"], strict=True)]
    seconds = [f"{statistics.median(found[name]):.3f}" for name in ("fused", "products")]
    return [precision, str(frames), *seconds, f"{statistics.median(ratios):.2f} ×"]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round")
    rounds = 1 if parser.parse_args().quick else 15
    torch.set_num_threads(1)
    rows = [measure(frames, precision, rounds) for precision in PRECISIONS for frames in FRAMES]
    print(markdown_table(["precision", "frames", "fused kernel, s", "products, s", "gain"], rows))


if __name__ == "__main__":
    main()
