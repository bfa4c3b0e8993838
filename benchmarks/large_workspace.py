"""What a command that has nothing to do costs in a finished workspace of 100,000 clips, and how that grows.

    python -m benchmarks.large_workspace [--clips N] [--quick] [--keep FOLDER]

Makes workspaces of N/16, N/4 and N clips (N = 100,000): a real ``xmic prepare``, then shards of frames, boxes and
vectors with as many rows as real ones, written by the shard writer of the stages without any decoding. Each command
then runs as a process of its own, in turn over the sizes. Printed are the median seconds, the seconds a clip of the
largest as a ratio to those of the smallest (1 is linear, less is better), the peak memory as the same kind of ratio
(1 is flat), and whether ``xmic status`` imported torch. Machines are noisy: trust the ratios.
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
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa

from benchmarks.command import markdown_table
from data_manifests.readers.table import TableReader
from pipelines.chain.stages import decode_stages, embed_stages, hands_stages
from pipelines.decode.options import DecodeOptions
from pipelines.decode.stage import DecodeStage
from pipelines.embed.options import EmbedOptions
from pipelines.embed.stage import EmbedStage
from pipelines.embed.tables import frame_vectors
from pipelines.embed.text import TextStage
from pipelines.engine import stage
from pipelines.engine.inspection import Unit
from pipelines.engine.machine import Machine
from pipelines.engine.shard_writer import ShardWriter
from pipelines.engine.shards import Layout
from pipelines.engine.stage import Stage
from pipelines.engine.workspace import Workspace
from pipelines.hands.options import HandsOptions
from pipelines.hands.stage import HandsStage
from pipelines.prepare.stage import prepare

CLIPS = 100_000
PER_VIDEO = 20
DATASET, SPLIT, ENCODER = "large", "val", "pocket"
DIM = 4
"""Width of the made-up vectors. Nothing reads them; their number and their row groups are what a footer grows with."""

COMMANDS = {
    "prepare": ["prepare", "table", "val=clips.csv", "--name", DATASET, "--videos", "videos"],
    "decode": ["decode", DATASET],
    "detect-hands": ["detect-hands", DATASET],
    "embed": ["embed", DATASET, "--encoder", ENCODER],
    "status": ["status"],
}
_VERBS, _NOUNS = ("cut", "stir", "open", "wash"), ("bread", "pot", "jar", "cup", "pan")
_MACHINE = Machine(1, "cpu", offline=True)


@dataclass(frozen=True)
class Measured:
    """One run of a command: its seconds, its peak memory in bytes, and whether it imported torch."""

    seconds: float
    memory: int
    torch: bool


def build(folder: Path, clips: int) -> None:
    """Make a finished workspace of so many clips in ``folder/work``."""
    videos = folder / "videos"
    videos.mkdir(parents=True)
    lines = ["video,start_s,stop_s,verb,noun"]
    for number in range(clips):
        video, place = divmod(number, PER_VIDEO)
        if not place:
            (videos / f"v{video:06d}.mp4").write_bytes(video.to_bytes(8, "big"))
        verb, noun = _VERBS[number % len(_VERBS)], _NOUNS[number % len(_NOUNS)]
        lines.append(f"v{video:06d}.mp4,{3 * place},{3 * place + 2},{verb},{noun}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = Workspace.open(folder / "work")
    prepare(workspace, DATASET, TableReader([(folder / "clips.csv", SPLIT)], roots=[videos]), [videos])
    for item in decode_stages(workspace, DATASET, None, DecodeOptions(), _MACHINE):
        for unit in item.units():
            _write_frames(item, unit)
    for boxes in hands_stages(workspace, DATASET, None, HandsOptions(), _MACHINE):
        for unit in boxes.units():
            _write(boxes, unit, boxes.layout, [_boxes(boxes, unit)])
    for vectors in embed_stages(workspace, DATASET, None, EmbedOptions(ENCODER), _MACHINE):
        if isinstance(vectors, TextStage):
            stage.run(vectors)
            continue
        assert isinstance(vectors, EmbedStage)
        for unit in vectors.units():
            _write(vectors, unit, frame_vectors(DIM), [_vectors(unit)])


def _frame_keys(unit: Unit, frames: int) -> tuple[list[str], np.ndarray]:
    """Video and pts of each frame of a unit, in the order of a shard; ``frames`` a clip."""
    videos = [task.video_id for task in unit.payload for _ in range(frames * len(task.clips))]
    pts = np.concatenate([np.arange(frames * len(task.clips)) for task in unit.payload])
    return videos, pts


def _write_frames(item: DecodeStage, unit: Unit) -> None:
    a_clip = item.plan.segments * item.plan.candidates
    videos, pts = _frame_keys(unit, a_clip)
    size, jpeg = pa.array(np.full(len(pts), 256, np.int32)), pa.array([b"jpeg"] * len(pts))
    frames = pa.table([pa.array(videos), pa.array(pts), pa.array(pts / 8), size, size, jpeg], schema=item.layout.schema)
    clips = [clip.clip_id for task in unit.payload for clip in task.clips for _ in range(a_clip)]
    segments = np.tile(np.arange(a_clip) // item.plan.candidates, len(clips) // a_clip).astype(np.int16)
    candidates = np.tile(np.arange(a_clip) % item.plan.candidates, len(clips) // a_clip).astype(np.int16)
    of_clips = pa.table(
        [pa.array(clips), pa.array(segments), pa.array(candidates), pa.array(videos), pa.array(pts)],
        schema=item.sides["clip_frames"].schema,
    )
    facts = [{"video_id": task.video_id, "codec": "h264", "read_mode": "gop"} for task in unit.payload]
    _write(item, unit, item.layout, [frames], {"clip_frames": of_clips, "videos": facts})


def _boxes(item: HandsStage, unit: Unit) -> pa.Table:
    keys = pa.concat_tables(table.select(["video_id", "pts"]) for table in unit.payload.rows())
    boxes = pa.nulls(keys.num_rows, item.layout.schema.field("boxes").type).fill_null([])
    return keys.append_column("boxes", boxes).cast(item.layout.schema)


def _vectors(unit: Unit) -> pa.Table:
    keys = pa.concat_tables(table.select(["video_id", "pts"]) for table in unit.payload.rows())
    values = pa.array(np.zeros(DIM * keys.num_rows, np.float16))
    whole = pa.array(np.zeros(keys.num_rows, bool))
    columns = [*keys.columns, whole, pa.FixedSizeListArray.from_arrays(values, DIM)]
    return pa.table(columns, schema=frame_vectors(DIM).schema)


def _write(item: Stage, unit: Unit, layout: Layout, tables: Sequence[pa.Table], sides: dict | None = None) -> None:
    with ShardWriter(
        unit.path,
        layout,
        item.sides,
        stage=item.name,
        version=item.version,
        params=item.params,
        inputs=unit.inputs,
        attempted=unit.attempted,
        provenance=item.provenance,
        environment=item.environment,
    ) as shard:
        for table in tables:
            shard.write(table)
        for name, rows in (sides or {}).items():
            shard.write_side(name, rows)


_RUN = """
import json, sys, time
start = time.perf_counter()
from xmic_cli.app import run
code = run(sys.argv[1:])
found = {"seconds": time.perf_counter() - start, "torch": "torch" in sys.modules}
from benchmarks.process_memory import of_status  # what getrusage says may be that of the parent
found["memory"] = of_status("VmHWM")
print(json.dumps(found), file=sys.stderr)
sys.exit(code)
"""


def measure(folder: Path, name: str) -> Measured:
    """Run a command in a finished workspace, and check that it made nothing."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *COMMANDS[name], "-w", "work", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path[1:]])},
    )
    if done.returncode:
        raise RuntimeError(f"xmic {name}: exit code {done.returncode}\n{done.stderr}")
    _refuse_work(name, json.loads(done.stdout))
    found = json.loads(done.stderr.splitlines()[-1])
    return Measured(time.perf_counter() - begun, found["memory"], found["torch"])


def _refuse_work(name: str, answer: dict) -> None:
    if name == "status":
        open_ = [item for item in answer["stages"] if item["why"]]
    elif name == "prepare":
        open_ = [answer] if answer["made"] else []
    else:
        open_ = [item for item in answer["stages"] if item["made"] or item["remaining"]]
    if open_:
        raise RuntimeError(f"xmic {name}: the workspace is not finished: {open_[0]}")


def rows_of(sizes: Sequence[int], found: dict[tuple[str, int], list[Measured]]) -> Iterator[list[str]]:
    """Make one row of the table per command."""
    least, most = sizes[0], sizes[-1]
    for name in COMMANDS:
        seconds = {size: statistics.median(one.seconds for one in found[name, size]) for size in sizes}
        memory = {size: statistics.median(one.memory for one in found[name, size]) for size in sizes}
        # Of growth alone: what starting costs is in both.
        slope = (seconds[most] / most) / (seconds[least] / least)
        yield [
            f"`{name}`",
            *(f"{seconds[size]:.2f}" for size in sizes),
            f"{slope:.2f}",
            f"{memory[most] / 2**20:.0f} MiB",
            f"{memory[most] / memory[least]:.2f}",
            "yes" if any(one.torch for size in sizes for one in found[name, size]) else "no",
        ]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=CLIPS, help="clips of the largest workspace")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the clips and one round")
    parser.add_argument("--keep", type=Path, help="make the workspaces in this folder, or use those that are there")
    options = parser.parse_args()
    most, rounds = (options.clips // 100, 1) if options.quick else (options.clips, 3)
    sizes = [most // 16, most // 4, most]
    found: dict[tuple[str, int], list[Measured]] = {}
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory() as name:
        for size in sizes:
            folder = Path(name) / str(size)
            if not folder.is_dir():
                begun = time.perf_counter()
                with mock.patch("os.fsync"):  # these files need not survive a loss of power
                    build(folder, size)
                print(f"{size:,} clips made in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        for _ in range(rounds):
            for command in COMMANDS:
                for size in sizes:
                    found.setdefault((command, size), []).append(measure(Path(name) / str(size), command))
    columns = ["nothing to do", *(f"{size:,} clips, s" for size in sizes)]
    columns += ["seconds a clip, 16 × : 1 ×", "peak memory", "memory 16 × : 1 ×", "imports torch"]
    print(markdown_table(columns, rows_of(sizes, found)))


if __name__ == "__main__":
    main()
