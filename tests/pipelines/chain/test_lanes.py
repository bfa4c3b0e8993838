"""Which shards can be made at a moment, over stages that read each other's shards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data_manifests.errors import MissingUpstream
from pipelines.chain.executor import Step
from pipelines.chain.lanes import Lanes, Line
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.stage import EmbedStage
from pipelines.engine import stage
from pipelines.engine.progress import Silent
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workspace import Workspace
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import DetectorIdentity
from pipelines.hands.stage import DetectHandsStage, LazyDetector
from tests.pipelines.chain.ray_world import GROUPS, open_split
from tests.pipelines.embedded_world import SEGMENTS, FakeDetector, add_dataset, encoder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, make_video) -> Workspace:
    """A prepared split in several shards, with all that is made from it."""
    folder = tmp_path_factory.mktemp("lanes")
    workspace = open_split(folder / "work", folder / "mine-videos")
    add_dataset(workspace, folder, make_video, splits=("val",), groups=GROUPS)
    return workspace


class Chain:
    """Decode, detect and embed of one split, over a workspace of its own."""

    def __init__(self, prepared: Workspace, folder: Path, *, made: bool = False) -> None:
        shutil.copytree(prepared.root, folder / "work")
        self.workspace = Workspace.open(folder / "work")
        if not made:
            for room in ("frames", "hands", "embeddings"):
                shutil.rmtree(folder / "work" / room)
        self.frames = DecodeStage(self.workspace, "mine", "val", FramePlan(SEGMENTS, 1, 0))
        identity = DetectorIdentity("fake-hands-00000000", {"detector": "fake"}, {})
        self.boxes = DetectHandsStage(self.frames, identity, LazyDetector(FakeDetector))
        lazy = encoder()
        self.full = EmbedStage(self.frames, lazy)
        self.hand = EmbedStage(self.frames, lazy, self.boxes.folder, CropPolicy())
        self.lanes = Lanes(
            [
                Step("decode", [lambda: [self.frames]], False),
                Step("detect-hands", [lambda: [self.boxes]], True),
                Step("embed", [lambda: [self.full, self.hand]], True),
            ],
            RunPolicy(),
            Silent(),
        )

    def step(self, network: bool | None = None) -> str:
        """Take the next shards, make them, and name their stage."""
        self.lanes.build()
        line, taken = _taken(self.lanes.take(network, 100))
        for unit, here in stage.make_shards(line.stage, taken, RunPolicy(), Silent()):
            self.lanes.made(line, unit.group, here)
        return line.stage.title.split()[-1] if line.stage.name == "embed" else line.stage.name


def _taken(found: tuple[Line, list[stage.Inspection]] | None) -> tuple[Line, list[stage.Inspection]]:
    assert found is not None
    return found


def test_a_shard_goes_through_all_stages_before_the_next_is_decoded(prepared: Workspace, tmp_path: Path) -> None:
    chain = Chain(prepared, tmp_path)
    groups = len(chain.frames.units())
    assert groups > 1
    made = [chain.step() for _ in range(4 * groups)]
    # Later steps are built when they have a first shard; then a shard of frames is embedded as soon as it is there.
    assert made[:4] == ["decode", "detect-hands", "full", "hand"]
    assert made[4:] == ["decode", "full", "detect-hands", "hand"] * (groups - 1)
    assert chain.lanes.take(None, 100) is None
    assert chain.lanes.done
    assert [line.report.made for line in chain.lanes.finished()] == [groups] * 4
    assert list(chain.lanes.finished()) == []


def test_workers_without_a_gpu_decode_on(prepared: Workspace, tmp_path: Path) -> None:
    chain = Chain(prepared, tmp_path)
    assert [chain.step(False), chain.step(False), chain.step(True)] == ["decode", "decode", "detect-hands"]
    chain.lanes.build()
    assert chain.lanes.number_waiting(True) == 1 + 2  # boxes of the second, frames of both; crops wait for the frames


def test_a_later_step_waits_for_a_first_shard_and_what_is_made_is_found(prepared: Workspace, tmp_path: Path) -> None:
    chain = Chain(prepared, tmp_path / "new")
    chain.lanes.build()
    assert chain.lanes.steps_built == 1
    made = Chain(prepared, tmp_path / "old", made=True)
    made.lanes.build()
    assert made.lanes.done
    assert made.lanes.number_waiting(None) == 0
    assert {line.report.already_done for line in made.lanes.lines} == {len(made.frames.units())}


def test_a_stage_whose_inputs_nothing_makes_says_what_is_missing(prepared: Workspace, tmp_path: Path) -> None:
    chain = Chain(prepared, tmp_path)
    lanes = Lanes([Step("embed", [lambda: [chain.hand]], True)], RunPolicy(), Silent())
    with pytest.raises(MissingUpstream, match="no frames. Run xmic decode"):
        lanes.build()


def test_a_shard_that_was_lost_comes_again_alone_and_one_that_is_given_up_ends_its_lane(
    prepared: Workspace, tmp_path: Path
) -> None:
    chain = Chain(prepared, tmp_path)

    def later() -> list[stage.Stage]:
        raise MissingUpstream("no frames")

    lanes = Lanes(
        [Step("decode", [lambda: [chain.frames]], False), Step("embed", [later], True)], RunPolicy(), Silent()
    )
    lanes.build()
    line, (first, *others) = _taken(lanes.take(None, 1))
    assert others
    for item in (first, *others):
        lanes.again(line, item.unit.group)
    assert [len(_taken(lanes.take(None, 1))[1]) for _ in (first, *others)] == [1] * (1 + len(others))
    for item in (first, *others):
        assert not lanes.done
        lanes.lose(line, item.unit.group)
    lanes.build()
    assert lanes.done
    assert line.lost == {unit.group for unit in chain.frames.units()}
