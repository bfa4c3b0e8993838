"""How long the chain takes on 1, 8 and 64 GPUs, what it costs and where it breaks, by a small simulation.

    python -m benchmarks.scale_model                          # prints the page
    python -m benchmarks.scale_model --report docs/scale.md

The inputs are the rates of scale_rates.json, each with its source; those that nobody has measured say so. Videos are
drawn with a fixed seed. They become shards and are dealt to the tasks of job arrays by xmic's own functions; tasks go
to workers as these become free, and workers fail and begin the shard in hand again.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command import markdown_table, write_report
from pipelines.engine.groups import group_videos
from pipelines.engine.run_policy import share_of

RATES = Path(__file__).with_name("scale_rates.json")
GPUS = (1, 8, 64)
TASKS_PER_WORKER = 4
BUCKETS = 1024
DRAWN = 50_000
"""Videos that are drawn at most; more are as many times these."""

_STEPS = 15 * 525  # 15 epochs of 67,217 clips in batches of 128
_RESTART_S = 300.0


@dataclass(frozen=True)
class Data:
    """What is processed.

    Attributes:
        name: its name in the tables.
        videos: number of videos.
        frames: decoded frames of all of them.
        clips: clips of all of them.
        cells: trainings of X-MIC, two heads each.
    """

    name: str
    videos: int
    frames: int
    clips: int
    cells: int = 0


def _whole(name: str, hours: float) -> Data:
    """Footage without labels, cut into clips of 3.5 s of 16 frames; a video has 23 minutes, as in Ego4D."""
    clips = round(hours * 3600 / 3.5)
    return Data(name, round(hours * 60 / 23), 16 * clips, clips)


DATA = (
    Data("EPIC-100 + Ego4D FHO + EGTEA", 700 + 1_500 + 86, 7_480_000, 188_000, cells=6),
    _whole("all of Ego4D, 3,700 h", 3_700),
    _whole("a million hours", 1_000_000),
)


@dataclass(frozen=True)
class Stage:
    """A stage on some workers: its hours, the share of them that is work, and what its rate is bounded by."""

    name: str
    hours: float
    efficiency: float
    bound: str
    gpu: bool = True


def read_rates(file: Path = RATES) -> dict[str, float]:
    """Read the value of each rate."""
    return {name: float(entry["value"]) for name, entry in json.loads(file.read_text("utf-8")).items()}


def shards_of(data: Data, seed: int = 0) -> dict[str, int]:
    """Draw the videos and group them as xmic does: file name of a shard → its frames.

    Lengths are spread as the videos of EPIC-KITCHENS are, by a factor of e to both sides.
    """
    drawn = random.Random(seed)
    weights = [drawn.lognormvariate(0, 1) for _ in range(min(data.videos, DRAWN))]
    unit = data.frames * len(weights) / data.videos / sum(weights)
    planned = {f"video{number:07d}": max(1, round(weight * unit)) for number, weight in enumerate(weights)}
    groups = group_videos(planned, BUCKETS)
    return {f"part-{name}.parquet": sum(planned[video] for video in members) for name, members in groups.items()}


def simulate(
    shards: Mapping[str, int], rate: float, workers: int, mtbf_h: float, *, of_one: float | None = None, seed: int = 0
) -> float:
    """Simulate a job array over the shards.

    Args:
        shards: file name → frames.
        rate: frames per second of one worker.
        workers: tasks that run at once.
        mtbf_h: hours of one worker between two failures.
        of_one: frames per second of one shard, where a worker makes several side by side; None where it makes one by
            one.
        seed: of the failures.

    Returns:
        Seconds until the last task has ended.
    """
    drawn = random.Random(seed)
    tasks: list[list[int]] = [[] for _ in range(TASKS_PER_WORKER * workers)]
    for name, frames in shards.items():
        tasks[share_of(name, len(tasks))].append(frames)
    fails = [drawn.expovariate(1 / (3600 * mtbf_h)) for _ in range(workers)]
    heap = [(0.0, number) for number in range(workers)]
    for task in tasks:
        now, worker = heapq.heappop(heap)
        # The longest of the shards that are made side by side may last longer than all of them together.
        slower = max(1.0, max(task) / of_one * rate / sum(task)) if task and of_one else 1.0
        for frames in task:
            needed = slower * frames / rate
            while fails[worker] < now + needed:  # the shard in hand is lost, what is committed is not
                now = max(now, fails[worker]) + _RESTART_S
                fails[worker] = now + drawn.expovariate(1 / (3600 * mtbf_h))
            now += needed
        heapq.heappush(heap, (now, worker))
    return max(time for time, _ in heap)


def stages_of(data: Data, rates: Mapping[str, float], gpus: int) -> Iterator[Stage]:
    """Yield the stages of the chain on so many GPUs, with the cores beside them."""
    shards = shards_of(data)
    more = data.frames / sum(shards.values())  # of videos that were not drawn
    cores = rates["cores_per_gpu"]
    disk = rates["disk_bytes_per_s"] / rates["jpeg_bytes"] / gpus
    read = cores / rates["jpeg_s"]
    kinds = {
        "decode": {"cores": cores * rates["decode_frames_per_s_core"], "disk": disk},
        "detect-hands": {"GPU": rates["detect_pictures_per_s_gpu"], "cores (JPEG)": read, "disk": disk},
        "embed, full frames": {"GPU": rates["embed_pictures_per_s_gpu"], "cores (JPEG)": read, "disk": disk},
        "embed, hand crops": {"GPU": rates["embed_pictures_per_s_gpu"], "cores (JPEG)": read, "disk": disk},
    }
    for name, limits in kinds.items():
        bound, rate = min(limits.items(), key=lambda item: item[1])
        of_one = rates["decode_frames_per_s_core"] if name == "decode" else None
        hours = simulate(shards, rate, gpus, rates["node_mtbf_h"] / more, of_one=of_one) * more / 3600
        ideal = data.frames / rate / gpus / 3600
        yield Stage(name, hours, ideal / hours, bound, gpu=name != "decode")
    if data.cells:
        head = _STEPS * rates["xmic_step_s_gpu"] / 3600
        rounds = -(-data.cells // gpus)
        yield Stage("train X-MIC", 2 * head * rounds, data.cells / gpus / rounds, "GPU")


def storage_bytes(data: Data, rates: Mapping[str, float]) -> float:
    """Bytes of frames, boxes and two streams of vectors."""
    return data.frames * (rates["jpeg_bytes"] + rates["boxes_bytes"] + 2 * rates["vector_bytes"])


def cost_usd(stages: Sequence[Stage], rates: Mapping[str, float], gpus: int) -> float:
    """Price of the GPUs and cores while their stages run; those of decode have no GPU."""
    cores = rates["cores_per_gpu"] * rates["core_hour_usd"]
    return gpus * sum(stage.hours * (cores + (rates["gpu_hour_usd"] if stage.gpu else 0)) for stage in stages)


def _hours(value: float) -> str:
    if value >= 48:
        return f"{value / 24:,.0f} d"
    return f"{value:.1f} h" if value >= 0.95 else f"{60 * value:.0f} min"


def _bytes(value: float) -> str:
    name, unit = next(((name, unit) for name, unit in (("TB", 1e12), ("GB", 1e9)) if value >= unit), ("MB", 1e6))
    return f"{value / unit:,.1f} {name}"


def page(rates: Mapping[str, float]) -> str:
    """Write the page of all tables."""
    lines = [_HEAD]
    for data in DATA:
        found = {gpus: list(stages_of(data, rates, gpus)) for gpus in GPUS}
        size = storage_bytes(data, rates)
        lines += [f"## {data.name}", ""]
        shards = round(len(shards_of(data)) * data.videos / min(data.videos, DRAWN))
        lines += [
            f"{data.clips:,} clips, {data.frames:,} frames, {data.videos:,} videos, about {shards:,} shards. "
            f"The workspace has {_bytes(size)} ({size / 1e12 * rates['tb_month_usd']:,.0f} $ per month).",
            "",
        ]
        rows = [
            [first.name, *(_cell(found[gpus][place]) for gpus in GPUS)] for place, first in enumerate(found[GPUS[0]])
        ]
        rows.append(["**together**", *(_hours(sum(stage.hours for stage in found[gpus])) for gpus in GPUS)])
        rows.append(["**price**", *(f"{cost_usd(found[gpus], rates, gpus):,.0f} $" for gpus in GPUS)])
        lines += [markdown_table(["stage", *(f"{gpus} GPU{'s' * (gpus > 1)}" for gpus in GPUS)], rows), ""]
        idle, memory = data.clips * rates["idle_s_per_clip"], data.clips * rates["memory_bytes_per_clip"]
        lines += [
            f"Every command reads the plan of its split: {idle:,.0f} s and {_bytes(memory)} of memory per process, "
            "if all of it is one split.",
            "",
        ]
    entries = json.loads(RATES.read_text("utf-8"))
    rows = [[f"`{name}`", f"{entry['value']:,}", entry["kind"], entry["source"]] for name, entry in entries.items()]
    return "\n".join([*lines, _BREAKS, "## Inputs", "", markdown_table(["rate", "value", "kind", "source"], rows), ""])


def _cell(stage: Stage) -> str:
    return f"{_hours(stage.hours)} ({100 * stage.efficiency:.0f} %, {stage.bound})"


_HEAD = """\
<!-- Written by python -m benchmarks.scale_model --report docs/scale.md: change the program, not this page. -->
# Scale, on paper

**None of this was run.** A small simulation computes it from measured rates of single stages on CPUs, a published rate
of one GPU, and assumptions. The table of inputs at the end says which is which. No rate of a GPU was measured by us.
Trust the order of magnitude.

Each GPU has its cores beside it. An array has four times as many tasks as GPUs, stages follow one another, and nodes
fail. In brackets are the share of a stage's hours in which an average GPU or its cores work, and what bounds the rate.
The price is that of the GPUs and cores while their stage runs; decode uses no GPU.
"""

_BREAKS = """\
## Where it breaks

- **One GPU to 64**: arrays scale until a task has few shards. The longest video is one shard, and one process decodes
  it. The share in brackets says what unequal tasks cost. More tasks than GPUs help, more GPUs than long videos do not.
- **Cores before GPUs**: a GPU that embeds wants 3.4 cores that read JPEGs. With fewer it waits.
- **The disk**: 64 GPUs read frames faster than 1 GB/s. Above about 90 GPUs the assumed file system decides, and stages
  that run side by side share it.
- **Trainings**: a cell uses one GPU, so six cells keep no more than six busy.
- **The plan of a split**: each process reads all clips of its split. It is seconds up to some million clips. A million
  hours need hundreds of workspaces, one per few thousand hours. Shards know only their own videos and do not change.
- **Files**: a shard has ten files over all stages. File systems slow down above some million files in a folder.
- **Frames**: JPEGs are nine tenths of the bytes. For a million hours they cost more than the GPUs within half a year.
  Embed them in pieces and delete them, or keep the vectors alone.
"""


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the page to a file")
    options = parser.parse_args()
    text = page(read_rates())
    if options.report:
        write_report(options.report, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
