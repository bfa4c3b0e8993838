"""How much faster two Ray workers decode than one, with one CPU and one thread each.

    python benchmarks/ray_scaling.py [--quick]

Writes short 1080p videos, and decodes them on a Ray cluster of one CPU and on one of two CPUs, in turn. Workers are
started, and have imported what they need, before the clock runs. Both must write the same bytes. Prints seconds and
the ratio of each round; machines are noisy, so quote the ratio. It needs two free cores and xmic[ray].
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from data_manifests.readers.table import TableReader
from pipelines.chain.executor import Step
from pipelines.chain.executor_options import ExecutorOptions
from pipelines.chain.on_ray import RayExecutor
from pipelines.decode.stage import DecodeStage, default_plan
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.prepare.stage import prepare

SECONDS = 8
CLIP_S = 2


def write_videos(folder: Path, count: int) -> Path:
    """Copies of one 1080p video of moving noise, and a table of their clips; the table."""
    folder.mkdir()
    texture = np.random.default_rng(0).integers(0, 256, (1400, 2300, 3), np.uint8)
    first = folder / "train0.mp4"
    with av.open(str(first), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "28", "g": "30"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for index in range(30 * SECONDS):
            x, y = index * 2 % 380, index % 320
            picture = np.ascontiguousarray(texture[y : y + 1080, x : x + 1920])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    rows = ["video,start_s,stop_s,verb,noun,split"]
    for split, number, stop in (("train", count, SECONDS), ("val", 8, CLIP_S)):
        for index in range(number):
            video = folder / f"{split}{index}.mp4"
            if video != first:
                shutil.copyfile(first, video)
            rows += [f"{video.name},{start},{start + CLIP_S},cut,bread,{split}" for start in range(0, stop, CLIP_S)]
    table = folder.parent / "clips.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def decode(folder: Path, table: Path, videos: Path, cpus: int) -> tuple[float, dict[str, bytes]]:
    """Seconds to decode the train split on a cluster of so many CPUs, and the shards."""
    import ray

    workspace = Workspace.open(folder)
    # Many small shards: a large machine has thousands of them.
    workspace.datasets["scale"] = DatasetSettings("table", (str(videos),), 256)
    prepare(workspace, "scale", TableReader([(table, None)], roots=[videos]), [videos])
    small = {"include_dashboard": False, "object_store_memory": 128 * 2**20}
    ray.init(address="local", num_cpus=cpus, log_to_driver=False, logging_level="ERROR", **small)
    try:
        with RayExecutor(ExecutorOptions("ray"), Machine(1, "cpu"), 1) as executor:
            seconds = 0.0
            for split in ("val", "train"):  # the first one starts the workers
                stage = DecodeStage(workspace, "scale", split, default_plan(split))
                begun = time.perf_counter()
                for _, report in executor.run(
                    [Step("decode", [lambda stage=stage: [stage]], False)], RunPolicy(), Silent()
                ):
                    assert report.made > cpus
                    assert not report.failures, report.failures
                seconds = time.perf_counter() - begun
    finally:
        ray.shutdown()
    return seconds, {file.name: file.read_bytes() for file in sorted(stage.folder.glob("part-*.parquet"))}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few videos and one round")
    quick = parser.parse_args().quick
    count, rounds = (6, 1) if quick else (24, 3)
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write_videos(folder / "videos", count)
        for _ in range(rounds):
            one_s, one = decode(folder / "one", table, folder / "videos", 1)
            two_s, two = decode(folder / "two", table, folder / "videos", 2)
            assert one == two, "two workers must write the bytes of one"
            for place in ("one", "two"):
                shutil.rmtree(folder / place)
            ratios.append(one_s / two_s)
            print(f"one worker {one_s:.1f} s, two workers {two_s:.1f} s: {ratios[-1]:.2f} times as fast", flush=True)
    print(f"median of {rounds}: {statistics.median(ratios):.2f} times as fast ({len(one)} shards)")


if __name__ == "__main__":
    main()
