"""How much of the network's own speed ``xmic embed`` keeps, by batch size.

    python benchmarks/embed.py [--quick]

Draws two videos, decodes 320 frames of them at 256 pixels, and embeds them with the packaged encoder by the usual
workers; then the same network looks at as many pictures that are in memory already, in full batches. Both in turn, one
batch size after the other. Prints frames per second, pictures computed per frame, and the ratio of the two
speeds, which is below 1 by the padding of each shard's last batch and by what decoding and
preprocessing cost beside the network; machines are noisy, so quote the ratio. The ratio of CPU times is per picture
computed, so without the padding; set OMP_WAIT_POLICY=PASSIVE, or threads that spin count.

Before that it measures the way of one picture from its stored JPEG to the network's input, in CPU time of one thread:
by the encoder's own transform and by ours, which gives the same bits, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import torch

from data_manifests.readers.table import TableReader
from pipelines.chain.stages import embed_stages
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.encoders import load_encoder
from pipelines.embed.encoders.base import FrozenImageEncoder
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
PICTURES = ((456, 256), (1920, 1080), (150, 100))
"""EPIC-KITCHENS' frame, a full one, and a hand crop."""


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


def decoded(folder: Path, videos: int, write: Callable[[Path], None] = write_video) -> Workspace:
    """A workspace with the frames of drawn videos."""
    rows = ["video,start_s,stop_s,verb,noun,split"]
    for number in range(videos):
        write(folder / f"{number}.mp4")
        rows += [f"{number}.mp4,{CLIP_S * clip},{CLIP_S * clip + CLIP_S},cut,bread,val" for clip in range(CLIPS)]
    table = folder / "clips.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    workspace = Workspace.open(folder / "work")
    prepare(workspace, "drawn", TableReader([(table, None)], roots=[folder]), [folder])
    stage.run(DecodeStage(workspace, "drawn", "val", FramePlan(SEGMENTS)))
    return workspace


def measure_input(spec: str, picture: np.ndarray, rounds: int) -> tuple[float, float, float]:
    """Milliseconds of a picture: its JPEG decoded, and made the network's input by the official transform and ours."""
    model = load_encoder(spec, precision="fp32", batch_size=1, device="cpu", offline=True, allow_random_weights=True)
    jpeg = to_jpeg(picture, 95)
    stored = from_jpeg(jpeg)
    assert torch.equal(FrozenImageEncoder.preprocess(model, stored), model.preprocess(stored))
    ways = (
        lambda: from_jpeg(jpeg),
        lambda: FrozenImageEncoder.preprocess(model, stored),
        lambda: model.preprocess(stored),
    )
    found: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for way, times in zip(ways, found, strict=True):
            start = time.thread_time()
            way()
            times.append(time.thread_time() - start)
    decode, official, ours = (1000 * statistics.median(times) for times in found)
    return decode, official, ours


def print_inputs(rounds: int) -> None:
    """Print what an input costs, for a frame and a hand crop and two encoders."""
    texture = av.VideoFrame.from_ndarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    for spec in ("pocket", "open_clip:ViT-B-16/random"):
        for width, height in PICTURES:
            picture = texture.reformat(width, height, interpolation="BICUBIC").to_ndarray(format="rgb24")
            decode, official, ours = measure_input(spec, picture, rounds)
            print(
                f"{spec}, {width} x {height}: JPEG {decode:.2f} ms, official transform {official:.2f}, "
                f"ours {ours:.2f}: {ours / official:.2f}; with the JPEG {(decode + ours) / (decode + official):.2f}"
            )


def measure(workspace: Workspace, size: int, machine: Machine) -> tuple[float, float, float, float]:
    """Frames a second of the stage, pictures it computed a frame, frames per second of the network alone.

    The last number is the network's CPU time of a picture by the stage's.
    """
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
    start, cpu_start = time.perf_counter(), time.process_time()
    frames = stage.run(item).rows
    stage_s, stage_cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    model._forward = forward
    pictures = max(1, frames // size) * size
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(pictures // size):
        model.embed(batch)
    network_s, network_cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    cpu_ratio = network_cpu_s / pictures / (stage_cpu_s / computed)
    return frames / stage_s, computed / frames, pictures / network_s, cpu_ratio


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one video and one round")
    quick = parser.parse_args().quick
    videos, rounds = (1, 1) if quick else (2, 5)
    print_inputs(9 if quick else 61)
    machine = machine_of(None, "cpu", offline=True)
    with tempfile.TemporaryDirectory() as folder:
        workspace = decoded(Path(folder), videos)
        ratios: dict[int, list[float]] = {size: [] for size in SIZES}
        cpu_ratios: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(rounds):
            for size in SIZES:
                embed, computed, network, cpu_ratio = measure(workspace, size, machine)
                ratios[size].append(embed / network)
                cpu_ratios[size].append(cpu_ratio)
                print(
                    f"batch {size}: {embed:.0f} frames/s, {computed:.2f} pictures computed a frame; the network alone "
                    f"{network:.0f}/s: {ratios[size][-1]:.2f}; in CPU time {cpu_ratio:.2f}"
                )
    for size in SIZES:
        speed, cpu = statistics.median(ratios[size]), statistics.median(cpu_ratios[size])
        print(f"batch {size}, median of {rounds}: {speed:.2f} of the network's own speed, {cpu:.2f} in CPU time")


if __name__ == "__main__":
    main()
