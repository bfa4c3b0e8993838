"""How much of the bare network's speed ``xmic detect-hands`` keeps on one core.

    python -m benchmarks.detect [--quick]

Writes two videos of each size, decodes 320 of their frames and looks for hands with the packaged model: from the stored
JPEGs to the written boxes, without loading the model. The bare network sees batches that are in memory already: of the
same size, and of Ultralytics' 16. They run in turn, each in processes of its own, since memory is kept by process.
Prints CPU milliseconds of a frame, medians, with their ratios, and what decoding the JPEG alone takes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.hands.options import HandsOptions
from pipelines.hands.stage import HandsStage

ROLES = ("stage", "bare", "bare-16", "jpeg")
SIZES = ((256, 192), (456, 256))
"""Frames of the drawn world, and EPIC-KITCHENS'."""


def detecting(folder: Path) -> HandsStage:
    """The stage on the frames that were decoded there."""
    from pipelines.chain.stages import hands_stages
    from pipelines.engine.machine import Machine
    from pipelines.engine.workspace import Workspace

    (item,) = hands_stages(Workspace.open(folder / "work"), None, None, HandsOptions(), Machine(1, "cpu", offline=True))
    return item


def stage_ms(folder: Path, rounds: int) -> list[float]:
    """CPU milliseconds of a frame in the stage, round by round."""
    from pipelines.engine import stage

    item, found = detecting(folder), []
    for _ in range(rounds + 1):  # the first one also loads the network
        for part in item.folder.glob("part-*"):
            part.unlink()
        begun = time.process_time()
        rows = stage.run(item).rows
        found.append(1e3 * (time.process_time() - begun) / rows)
    return found[1:]


def bare_ms(size: tuple[int, int], batch_size: int | None, rounds: int) -> list[float]:
    """CPU milliseconds of a frame in the network alone, as Ultralytics runs it on batches in memory."""
    import numpy as np
    import torch

    from pipelines.hands import yolo

    yolo.keep_memory = lambda: None  # type: ignore[attr-defined]
    model = yolo.YoloDetector(precision="auto", batch_size=batch_size, offline=True)
    place = model._place(np.zeros((size[1], size[0], 3), np.uint8))
    frames = model._batch_size
    batch = torch.rand(frames, 3, place.height, place.width).contiguous(memory_format=torch.channels_last)
    passes = 320 // frames
    found = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        for _ in range(passes):
            model._output(batch)
        found.append(1e3 * (time.process_time() - begun) / passes / frames)
    return found[1:]


def jpeg_ms(folder: Path, rounds: int) -> list[float]:
    """CPU milliseconds to decode the JPEG of a frame."""
    from pipelines.decode.encode_jpeg import from_jpeg
    from pipelines.decode.stage import decoded_shards
    from pipelines.decode.stored_frames import stored

    shards, _ = decoded_shards(detecting(folder).frames)
    jpegs = [jpeg for shard in shards for _, jpeg in stored(shard.rows())]
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        for jpeg in jpegs:
            from_jpeg(jpeg)
        found.append(1e3 * (time.process_time() - begun) / len(jpegs))
    return found


def measured(size: tuple[int, int], videos: int, turns: int, rounds: int) -> str:
    """The line of a size."""
    from benchmarks.decode_peers import Video, write_video
    from benchmarks.embed import CLIP_S, CLIPS, decoded

    found: dict[str, list[float]] = {role: [] for role in ROLES}
    with tempfile.TemporaryDirectory() as folder:
        decoded(Path(folder), videos, lambda path: write_video(path, Video("libx264", *size, 12), CLIPS * CLIP_S))
        for _ in range(turns):
            for role in ROLES:
                asked = ["--role", role, "--folder", folder, "--size", *map(str, size), "--rounds", str(rounds)]
                one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
                command = [sys.executable, "-m", "benchmarks.detect", *asked]
                done = subprocess.run(command, env=one_thread, check=True, capture_output=True, text=True)
                found[role] += json.loads(done.stdout.splitlines()[-1])
    ms = {role: statistics.median(values) for role, values in found.items()}
    return (
        f"{size[0]} x {size[1]}: stage {ms['stage']:.2f} ms a frame, of it JPEG {ms['jpeg']:.2f}; bare network "
        f"{ms['bare']:.2f}, in batches of 16 {ms['bare-16']:.2f}: {ms['bare'] / ms['stage']:.2f} and "
        f"{ms['bare-16'] / ms['stage']:.2f} of its speed"
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one video and one round")
    for name, kind in (("role", str), ("folder", Path), ("rounds", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role in ("bare", "bare-16"):
        print(json.dumps(bare_ms(tuple(given.size), 16 if given.role == "bare-16" else None, given.rounds)))
    elif given.role:
        print(json.dumps({"stage": stage_ms, "jpeg": jpeg_ms}[given.role](given.folder, given.rounds)))
    else:
        for size in SIZES:
            print(measured(size, *((1, 1, 1) if given.quick else (2, 3, 5))), flush=True)


if __name__ == "__main__":
    main()
