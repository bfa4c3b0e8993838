"""Time work on a device, and draw what it works on."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EPIC
from pocket_kitchens.world import Size, plan_world

Row = dict[str, Any]
"""One line of a table: column → value. 'ok' is False for a check that failed."""

_WORLD, _SEED, _EVERY = Size(60, 40, (2, 4)), 77, 8


@lru_cache(maxsize=4)
def drawn_frames(count: int) -> list[np.ndarray]:
    """Draw frames of Pocket Kitchens, RGB uint8 [H, W, 3]; they repeat after some clips."""
    clips = [clip for video in plan_world(EPIC, _WORLD, seed=_SEED) for clip in video.clips]
    found: list[np.ndarray] = []
    for clip in clips:
        found += [frame.rgb for frame in render(clip, EPIC, only=range(_EVERY, clip.frames, _EVERY))]
        if len(found) >= count:
            break
    return [found[number % len(found)] for number in range(count)]


def per_second(work: Callable[[], int], device: torch.device, seconds: float) -> float:
    """Measure the things per second of work that says how many it did.

    The first call is not timed.
    """
    work()
    wait(device)
    done, start = 0, time.perf_counter()
    while True:
        done += work()
        wait(device)
        passed = time.perf_counter() - start
        if passed >= seconds:
            return done / passed


def milliseconds(work: Callable[[], Any], device: torch.device, things: int, seconds: float) -> float:
    """Measure the time of one of the things that each call works on."""

    def counted() -> int:
        work()
        return things

    return 1000 / per_second(counted, device, seconds)


def wait(device: torch.device) -> None:
    """Wait until all work of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
