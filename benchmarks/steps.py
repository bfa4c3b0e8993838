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
from collections.abc import Callable
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.command import markdown_table
from pipelines.methods import blocks
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank
from pipelines.methods.xmic import XMIC, XMICConfig
from pipelines.train.options import TrainPrecision
from pipelines.train.steps import autocast

CLASSES, CLIPS, DIM = 300, 128, 512
FRAMES = (16, 8)
PRECISIONS: tuple[TrainPrecision, ...] = ("fp32", "bf16")


def fused(attention: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """The framework's own way."""
    attended: Tensor = attention(tokens, tokens, tokens, need_weights=False)[0]
    return attended


def step_of(frames: int, precision: TrainPrecision) -> Callable[[], None]:
    """A step on random vectors."""
    torch.manual_seed(0)
    method = XMIC(XMICConfig(segments=frames), Backbone(DIM, DIM, 100.0))
    batch = ClipBatch(*(torch.randn(CLIPS, frames, DIM) for _ in range(3)))
    names = [str(number) for number in range(CLASSES)]
    text, labels = TextBank(torch.randn(CLASSES, DIM), 100.0, names, names), torch.randint(CLASSES, (CLIPS,))
    optimiser = torch.optim.AdamW(method.parameters())

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with autocast(torch.device("cpu"), precision):
            logits = method(batch, text)
        F.cross_entropy(logits, labels).backward()
        optimiser.step()

    return step


def measure(frames: int, precision: TrainPrecision, rounds: int) -> list[str]:
    """One row of the table."""
    step = step_of(frames, precision)
    rivals = {"products": blocks._attend, "fused": fused}
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for round_ in range(rounds + 1):
        for name in random.sample(list(rivals), len(rivals)):
            with mock.patch.object(blocks, "_attend", rivals[name]):
                begun = time.process_time()
                step()
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
