"""Run the default chain end to end on a small drawn world.

The chain runs on both of the world's datasets and gives one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.chain.grid import read_cells
from pipelines.chain.run import ChainResult, Stop, never, run_chain
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pocket_kitchens.build import FORMS, BuiltWorld, build_world

WORLD, CONFIG = "world", "xmic.toml"
SEED = 0


@dataclass(frozen=True)
class DemoResult:
    """World, chain results and configuration of a demo.

    Attributes:
        world: the world that was built.
        chain: result of each part of the chain; its report holds the table.
        config: path of the file with which ``xmic run`` does the same.
    """

    world: BuiltWorld
    chain: ChainResult
    config: str

    @property
    def made(self) -> int:
        """Number of videos, shards, heads and evaluations made by this call.

        It is 0 when everything existed already.
        """
        return self.world.made + self.chain.made


def run_demo(
    folder: Path,
    size: str,
    machine: Machine,
    progress: Progress,
    stop: Stop = never,
) -> DemoResult:
    """Build the world and run the chain on it.

    A second run makes only what is missing.

    Args:
        folder: folder of the world, the configuration and the workspace.
        size: size of the world, a key of :data:`pocket_kitchens.world.SIZES`.
        machine: workers and device.
        progress: updated with each part.
        stop: as in :func:`pipelines.chain.run.run_chain`.

    Raises:
        XmicError: as :func:`pocket_kitchens.build.build_world` and :func:`pipelines.chain.run.run_chain`.
    """
    world = build_world(folder / WORLD, size, SEED, machine.workers, progress)
    file = folder / CONFIG
    text = demo_config()
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        with replace_atomically(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return DemoResult(world, run_chain(read_cells(file), machine, progress, stop), str(file))


def demo_config() -> str:
    """Return the text of the demo's ``xmic.toml``.

    It lists both datasets, and zero-shot CLIP and X-MIC trained on each.
    """
    datasets = "\n".join(
        _DATASET.format(
            name=name,
            annotations=f"{WORLD}/{form.ANNOTATIONS}",
            videos=f"{WORLD}/{form.VIDEOS}",
        )
        for name, form in FORMS.items()
    )
    runs = "\n".join(
        _RUN.format(method=method, dataset=dataset, more=more)
        for dataset in ("epic", "ego4d")
        for method, more in (("zero-shot", 'classify = "hand"\n'), ("xmic", _FEW_CLIPS))
    )
    return f"{_HEAD}\n{datasets}\n{_EMBED}\n{runs}"


_HEAD = """\
# Written by xmic demo; xmic run does the same with it.
workspace = "work"
"""
_DATASET = """\
[[dataset]]
name = "{name}"
reader = "{name}"
annotations = "{annotations}"
videos = ["{videos}"]
"""
_EMBED = """\
# The hand model that comes with xmic. The world's true boxes are in world/boxes/, for --detector boxes.
[hands]
detector = "yolo"

[embed]
encoder = "pocket"

[evaluate]
cross = ["epic", "ego4d"]
"""
# An epoch of so few clips would be a single step: smaller batches, a shorter warm-up.
_FEW_CLIPS = "set = { batch = 8, warmup_epochs = 2 }\n"
_RUN = """\
[[train]]
method = "{method}"
dataset = "{dataset}"
{more}"""
