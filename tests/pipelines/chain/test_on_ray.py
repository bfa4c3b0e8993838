"""A Ray cluster of two nodes on this machine: the same bytes, and what a killed node costs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.chain.executor import Step
from pipelines.chain.executor_options import ExecutorOptions
from pipelines.chain.grid import read_cells
from pipelines.chain.on_ray import RayExecutor
from pipelines.chain.run import run_chain
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workers import WorkerBug
from tests.pipelines.chain import ray_world
from tests.pipelines.engine.stage_fixtures import REPOSITORY, NumbersStage, run, tree
from tests.pipelines.kitchen_world import MACHINE, Kitchen
from tests.pipelines.one_thread import one_thread  # noqa: F401
from xmic_cli import app

pytest.importorskip("ray", reason="Ray is an extra: pip install 'xmic[ray]'")

_CPU = Machine(1, "cpu", offline=True)
_ON_RAY = ExecutorOptions("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with one CPU each; this process is connected to them."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.chdir(REPOSITORY)
        small: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        nodes = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        try:
            nodes.add_node(**small)
            ray.init(nodes.address, log_to_driver=False, logging_level="ERROR")
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()


@pytest.fixture
def executor(cluster: Any) -> Iterator[RayExecutor]:
    """An executor on the cluster; its workers end with the test, since they hold the CPUs."""
    with RayExecutor(_ON_RAY, _CPU, None) as found:
        yield found


class Notes(Silent):
    """Progress that keeps its notes and calls a function when shards are done."""

    def __init__(self, at: int = -1, then: Any = None) -> None:
        self.notes: list[str] = []
        self.done, self._at, self._then = 0, at, then

    def note(self, text: str) -> None:
        self.notes.append(text)

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        if self.done >= self._at and self._then is not None:
            then, self._then = self._then, None
            then()


def _made(executor: RayExecutor, item: NumbersStage, progress: Any = None) -> int:
    ((_, report),) = executor.run([Step("numbers", [lambda: [item]], False)], RunPolicy(), progress or Silent())
    return report.made


def _artifacts(workspace: Path) -> dict[str, bytes]:
    return {
        name: data for name, data in tree(workspace).items() if name.split("/")[0] not in ("workspace.toml", "cache")
    }


def test_a_grid_on_ray_has_the_bytes_of_one_machine_and_its_stages_overlap(
    executor: RayExecutor, tmp_path: Path, make_video
) -> None:
    file = ray_world.write_chain(tmp_path, make_video)
    found = []
    for place in ("here", "ray"):
        ray_world.open_split(tmp_path / place, tmp_path / "videos")
        cells = [
            replace(cell, config=cell.config.model_copy(update={"workspace": tmp_path / place}))
            for cell in read_cells(file)
        ]
        chosen = {"executor": executor} if place == "ray" else {}
        found.append(run_chain(cells, _CPU, Silent(), report=False, **chosen))
    here, there = found
    assert _artifacts(tmp_path / "ray") == _artifacts(tmp_path / "here")
    counts = ("stage", "title", "made", "rows", "remaining")
    assert [[item[name] for name in counts] for item in there.stages] == [
        [item[name] for name in counts] for item in here.stages
    ]
    assert max(item["made"] for item in there.stages) >= 4
    assert [run["run"] for run in there.runs] == [run["run"] for run in here.runs]
    assert len(there.evaluations) == len(here.evaluations) > 0
    first_vector, last_frames = (
        choose(path.stat().st_mtime for path in (tmp_path / "ray" / room).rglob("part-*.parquet"))
        for choose, room in ((min, "embeddings"), (max, "frames"))
    )
    assert first_vector < last_frames, "nothing was embedded before the last video was decoded"
    again = run_chain(cells, _CPU, Silent(), report=False, executor=executor)
    assert again.made == 0


def test_each_command_makes_on_ray_what_it_makes_here(
    cluster: Any, tmp_path: Path, make_video, capsys: pytest.CaptureFixture[str]
) -> None:
    ray_world.write_chain(tmp_path, make_video, seeds=1)
    commands = (
        ["decode", "--segments", "4"],
        ["detect-hands", "--detector", ray_world.DETECTOR],
        ["embed", "--encoder", ray_world.seeing_encoder.SPEC],
    )
    for place, more in (("here", []), ("ray", ["--executor", "ray"])):
        ray_world.open_split(tmp_path / place, tmp_path / "videos")
        table = ["prepare", "table", str(tmp_path / "clips.csv"), "--name", "mine", "-w", str(tmp_path / place)]
        assert app.run([*table, "--videos", str(tmp_path / "videos")]) == 0
        for command in commands:
            assert app.run([*command, "-w", str(tmp_path / place), "--device", "cpu", *more]) == 0
    assert _artifacts(tmp_path / "ray") == _artifacts(tmp_path / "here")
    capsys.readouterr()
    assert app.run([*commands[2], "-w", str(tmp_path / "ray"), "--device", "cpu", "--executor", "ray"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_predictions_over_several_videos_are_the_same(executor: RayExecutor, kitchen: Kitchen, tmp_path: Path) -> None:
    answers = []
    for place, chosen in (("here", {}), ("ray", {"executor": executor})):
        predictor = kitchen.load(**chosen)
        footage = predictor.embed([kitchen.video("a.mp4"), kitchen.video("b.mp4")], window_s=1, cache=tmp_path / place)
        answers.append(predictor.predict(footage, nouns=["cup", "kettle"], verbs=["cut", "stir"]))
    here, there = answers
    assert [clip.as_dict() for clip in there] == [clip.as_dict() for clip in here]
    assert there.made == here.made
    assert MACHINE.device == "cpu"
    for room in ("frames", "hands", "embeddings"):
        assert tree(tmp_path / "ray" / room) == tree(tmp_path / "here" / room) != {}


def test_errors_of_a_worker_reach_the_driver(executor: RayExecutor, tmp_path: Path) -> None:
    with pytest.raises(WorkerBug, match=r"(?s)Traceback.*ZeroDivisionError: of this test"):
        _made(executor, NumbersStage(tmp_path / "bug", at_row=ray_world.buggy))
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError) as caught:
        _made(executor, NumbersStage(tmp_path / "file" / "below"))
    assert caught.value.errno is not None


def test_a_shard_that_ends_every_worker_is_given_up_and_the_others_are_made(
    executor: RayExecutor, tmp_path: Path
) -> None:
    progress = Notes()
    with pytest.raises(InputError, match=r"part-b\.parquet: 3 workers died over it .* Everything else is made"):
        _made(executor, NumbersStage(tmp_path / "numbers", at_row=ray_world.deadly), progress)
    assert sum("a worker died" in note for note in progress.notes) >= 2
    names = [name for name in tree(tmp_path / "numbers") if name.startswith("part-")]
    assert names == ["part-a.parquet", "part-c.parquet"]
    assert _made(executor, NumbersStage(tmp_path / "numbers")) == 1
    run(NumbersStage(tmp_path / "whole"))
    assert tree(tmp_path / "numbers") == tree(tmp_path / "whole")


def test_a_killed_node_costs_the_shards_in_hand(cluster: Any, executor: RayExecutor, tmp_path: Path) -> None:
    sizes = {f"g{number:02}": 40 for number in range(12)}
    (node,) = cluster.worker_nodes
    progress = Notes(4, lambda: cluster.remove_node(node, allow_graceful=False))
    made = _made(executor, NumbersStage(tmp_path / "ray", sizes=sizes, at_row=ray_world.slowly), progress)
    assert any("a worker died" in note for note in progress.notes)
    assert made == len(sizes)
    run(NumbersStage(tmp_path / "here", sizes=sizes))
    assert tree(tmp_path / "ray") == tree(tmp_path / "here")
    assert not list((tmp_path / "ray").rglob("*.tmp"))


def test_devices_that_the_cluster_lacks_are_refused(cluster: Any) -> None:
    for options, machine, workers, text in (
        (ExecutorOptions("ray", gpus=1), Machine(1, "auto"), None, r"--gpus 1: the Ray cluster has 0 GPUs"),
        (_ON_RAY, Machine(1, devices="all"), None, "--devices all: Ray gives each worker its GPUs"),
        (_ON_RAY, Machine(1, "cuda:1"), None, "--device cuda:1: Ray chooses the GPUs"),
        (_ON_RAY, Machine(1, "cuda"), None, "--device cuda: .* the Ray cluster has none"),
        (_ON_RAY, _CPU, 64, "--workers 64: the Ray cluster has [12] CPUs"),
    ):
        with pytest.raises(UsageError, match=text):
            RayExecutor(options, machine, workers)


def test_an_address_without_a_cluster_is_named(cluster: Any) -> None:
    import ray

    address = cluster.address
    ray.shutdown()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_gcs_rpc_server_connect_timeout_s", "1")
        with pytest.raises(UsageError, match="--address nonsense: expected HOST:PORT"):
            RayExecutor(ExecutorOptions("ray", "nonsense"), _CPU, None)
    with RayExecutor(ExecutorOptions("ray", address), _CPU, None) as executor:
        assert [pid != os.getpid() for pid in executor.call([lambda progress, stop: os.getpid()], Silent(), None)] == [
            True
        ]
    assert not ray.is_initialized()
