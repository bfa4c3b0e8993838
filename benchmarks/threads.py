"""How fast a training step of X-MIC is on one thread and on all, by the arithmetic of its forward pass.

    python -m benchmarks.threads [--quick] [--threads 1 2]

Steps of made-up clips, from small to large. Printed are milliseconds of wall time per step, medians; the rivals take
turns. ``pipelines/train/threads.py`` gives a thread for every 1e9 operations: the last column is what it chooses.
Run it beside another program (``python -c "while True: pass"``) too: threads then wait for the one that has no core.
"""

from __future__ import annotations

from pipelines.engine.waiting import wait_briefly

wait_briefly()

import argparse  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from benchmarks.command import markdown_table  # noqa: E402
from pipelines.methods import load_method  # noqa: E402
from pipelines.methods.backbone import Backbone  # noqa: E402
from pipelines.methods.base import TextBank, build_method, resolve_config  # noqa: E402
from pipelines.train.estimate import made_up_clips  # noqa: E402
from pipelines.train.optim import make_optimiser  # noqa: E402
from pipelines.train.threads import threads_for  # noqa: E402

SIZES = [(256, 8, 8, 28), (256, 32, 8, 28), (512, 8, 16, 300), (512, 32, 16, 300), (512, 128, 16, 300)]
"""(width, clips, frames, classes)."""


def steps_of(width: int, clips: int, frames: int, classes: int) -> tuple[Callable[[], object], Callable[[], None]]:
    """Return the forward pass and the whole training step."""
    method_class = load_method("xmic")
    settings = resolve_config(method_class, "recommended", {"segments": frames})
    torch.manual_seed(0)
    method = build_method(method_class, settings.config, Backbone(width, width, 100.0), 0)
    roles = {"frame_vectors": "frames", "hand_vectors": "hand", "v2_vectors": "full"}
    needed = [role for need, role in roles.items() if need in method_class.needed_by(settings.config)]
    batch = made_up_clips(clips, dict.fromkeys(needed, (frames, width)))
    names = [f"class {number}" for number in range(classes)]
    text = TextBank(torch.randn(classes, width), 100.0, names, names)
    optimiser = make_optimiser(settings.recipe, [one for one in method.parameters() if one.requires_grad])
    labels = torch.arange(clips) % classes

    def step() -> None:
        optimiser.zero_grad()
        F.cross_entropy(method.training_logits(batch, text, labels), labels).backward()
        optimiser.step()

    return lambda: method.training_logits(batch, text, labels), step


def milliseconds(step: Callable[[], None], threads: int, count: int) -> float:
    """Median time of a step."""
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
    parser.add_argument("--threads", type=int, nargs="+", default=[1, torch.get_num_threads()])
    asked = parser.parse_args()
    threads, rounds = sorted(set(asked.threads)), 1 if asked.quick else 3
    rows = []
    for width, clips, frames, classes in SIZES[:2] if asked.quick else SIZES:
        forward, step = steps_of(width, clips, frames, classes)
        count = 3 if asked.quick or clips > 100 else 12
        found = [[milliseconds(step, number, count) for number in threads] for _ in range(rounds)]
        medians = [f"{statistics.median(times):.0f}" for times in zip(*found, strict=True)]
        torch.set_num_threads(max(threads))
        chosen = threads_for(forward, max(threads))
        rows.append([str(width), str(clips), str(frames), str(classes), *medians, str(chosen)])
    columns = ["width", "clips", "frames", "classes", *(f"{number} threads, ms" for number in threads), "chosen"]
    print(markdown_table(columns, rows))


if __name__ == "__main__":
    main()
