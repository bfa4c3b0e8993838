"""A worker function for tests: damage a copy of a video at random, look at it and decode it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipelines.decode.container import VideoError
from pipelines.decode.media_rules import USUAL
from pipelines.decode.plan import FramePlan
from pipelines.decode.task import VideoTask
from pipelines.decode.worker import decode_video
from pipelines.engine.clips import Clip
from pipelines.prepare.check.probe import probe


def damage_and_decode(task: tuple[str, str, int], heartbeat: Callable[[], None]) -> int:
    """Damage by (source, folder, seed); how many failures there are of a video that can be read all the same."""
    source, folder, seed = Path(task[0]), Path(task[1]), task[2]
    file = folder / f"{seed}-{source.name}"
    file.write_bytes(_damaged(source.read_bytes(), random.Random(seed)))
    with suppress(VideoError):  # decode says the same
        probe((str(file), "video", USUAL), heartbeat)
    clips = [Clip("a", 0.0, 1.0), Clip("b", 0.5, None)]
    plan = FramePlan(segments=3, candidates=2, short_side=64)
    video = VideoTask("v", str(file), "video", 0.0, None, None, clips, plan, output=str(folder / f"{seed}"))
    return len(decode_video(video, heartbeat)["failures"])


def _damaged(data: bytes, dice: random.Random) -> bytes:
    where = dice.choice([(0, len(data)), (0, min(600, len(data))), (max(0, len(data) - 3000), len(data))])
    changed = bytearray(data)
    for _ in range(dice.choice([1, 5, 20, 100])):
        changed[dice.randrange(*where)] = dice.choice([0, 255, dice.randrange(256)])
    at = dice.randrange(len(changed))
    how = dice.randrange(4)
    if how == 0:
        del changed[at:]
    elif how == 1:
        del changed[at : at + dice.randrange(500)]
    elif how == 2:
        changed[at:at] = dice.randbytes(dice.randrange(300))
    return bytes(changed)
