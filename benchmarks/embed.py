"""How much of the network's own speed ``xmic embed`` keeps, by batch size.

    python benchmarks/embed.py [--quick]

Draws two videos, decodes 320 frames of them at 256 pixels, and embeds them with the packaged encoder by the usual
workers; then the same network looks at as many pictures that are in memory already, in full batches. Both in turn, one
batch size after the other. Prints frames per second, pictures computed per frame, and the ratio of the two
speeds, which is below 1 by the padding of each shard's last batch and by what decoding and
preprocessing cost beside the network; machines are noisy, so quote the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch

from data_manifests.readers.table import TableReader
from pipelines.chain.stages import embed_stages
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.options import EmbedOptions
from pipelines.embed.stage import EmbedStage
from pipelines.engine import stage
from pipelines.engine.machine import Machine
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare
from xmic_cli.options import machine_of

SIZES = (16, 64, 256)
CLIPS, CLIP_S, FPS = 10, 1, 20
SEGMENTS = 16


def write_video(path: Path) -> None:
    """A moving texture."""
    texture = np.random.default_rng(0).integers(0, 256, (512, 912, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 456, 256, "yuv420p"
        for index in range(CLIPS * CLIP_S * FPS):
            picture = np.ascontiguousarray(texture[index : index + 256, 2 * index : 2 * index + 456])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def decoded(folder: Path, videos: int) -> Workspace:
    """A workspace with the frames of drawn videos."""
    rows = ["video,start_s,stop_s,verb,noun,split"]
    for number in range(videos):
        write_video(folder / f"{number}.mp4")
        rows += [f"{number}.mp4,{CLIP_S * clip},{CLIP_S * clip + CLIP_S},cut,bread,val" for clip in range(CLIPS)]
    table = folder / "clips.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    workspace = Workspace.open(folder / "work")
    prepare(workspace, "drawn", TableReader([(table, None)], roots=[folder]), [folder])
    stage.run(DecodeStage(workspace, "drawn", "val", FramePlan(SEGMENTS)))
    return workspace


def measure(workspace: Workspace, size: int, machine: Machine) -> tuple[float, float, float]:
    """Frames a second of the stage, pictures it computed a frame, and frames per second of the network alone."""
    options = EmbedOptions("pocket", precision="fp32", batch_size=size, streams="full", text=False)
    (item,) = embed_stages(workspace, "drawn", None, options, machine)
    for part in item.folder.glob("part-*"):
        part.unlink()
    assert isinstance(item, EmbedStage)
    model, computed = item.encoder.model, 0
    forward = model._forward

    def counted(batch: torch.Tensor) -> torch.Tensor:
        nonlocal computed
        computed += len(batch)
        vectors: torch.Tensor = forward(batch)
        return vectors

    batch = [model.preprocess(np.zeros((256, 456, 3), np.uint8))] * size
    model.embed(batch)
    model._forward = counted
    start = time.perf_counter()
    frames = stage.run(item).rows
    stage_s = time.perf_counter() - start
    model._forward = forward
    passes = max(1, frames // size)
    start = time.perf_counter()
    for _ in range(passes):
        model.embed(batch)
    return frames / stage_s, computed / frames, passes * size / (time.perf_counter() - start)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one video and one round")
    videos, rounds = (1, 1) if parser.parse_args().quick else (2, 5)
    machine = machine_of(None, "cpu", offline=True)
    with tempfile.TemporaryDirectory() as folder:
        workspace = decoded(Path(folder), videos)
        ratios: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(rounds):
            for size in SIZES:
                embed, computed, network = measure(workspace, size, machine)
                ratios[size].append(embed / network)
                print(
                    f"batch {size}: {embed:.0f} frames/s, {computed:.2f} pictures computed a frame; the network alone "
                    f"{network:.0f}/s: {ratios[size][-1]:.2f}"
                )
    for size, found in ratios.items():
        print(f"batch {size}, median of {rounds}: {statistics.median(found):.2f} of the network's own speed")


if __name__ == "__main__":
    main()
