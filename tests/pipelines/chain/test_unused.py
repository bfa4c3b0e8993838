"""What xmic gc may remove, and what it never does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest

from pipelines.chain.unused import find_unused
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.locks import exclusive_lock
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.removal import InUse, remove_unused, size_of
from pipelines.hands.detector import DetectorIdentity
from pipelines.hands.stage import DetectHandsStage
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


def unused(workspace):
    return {str(item.path.relative_to(workspace.root)): item.why for item in find_unused(workspace)}


def trained(workspace, **options):
    planned = plan_run(workspace, TrainOptions("mine", set={"epochs": 1}, **options))
    train_run(workspace, planned, Machine(1, "cpu"), Silent(), limit=1)


def copied(folder, name, age):
    """A sibling of a folder of shards, made some seconds before it."""
    other = folder.with_name(name)
    shutil.copytree(folder, other)
    for part in other.glob("part-*"):
        os.utime(part, (part.stat().st_atime, part.stat().st_mtime - age))
    return other


def test_a_workspace_in_use_has_nothing_to_remove(embedded):
    assert unused(embedded) == {}


def test_what_is_not_prepared_any_more_is_not_needed(embedded):
    shutil.rmtree(embedded.manifests / "other")
    assert unused(embedded) == dict.fromkeys(
        ["embeddings/other/val", "frames/other/val", "hands/other/val"], "other val is not prepared"
    ) | {"text/other": "other is not prepared"}


def test_an_older_plan_without_a_run_goes_with_its_boxes_and_vectors(embedded):
    plans = "frames/mine/val/seg4-k1-native-q95", "frames/mine/val/seg2-k1-native-q95"
    newer = DecodeStage(embedded, "mine", "val", FramePlan(2, 1, 0))
    stage.run(newer)
    assert (embedded.root / plans[1]).is_dir()
    found = unused(embedded)
    assert found.keys() == {plans[0], "hands/mine/val/seg4-k1-native-q95", "embeddings/mine/val/seg4-k1-native-q95"}
    assert found[plans[0]] == "no run uses this frame plan; seg2-k1-native-q95 is kept"
    train_run(
        embedded, plan_run(embedded, TrainOptions("mine", set={"epochs": 1})), Machine(1, "cpu"), Silent(), limit=1
    )
    assert not [path for path in unused(embedded) if not path.startswith("cache/")], "the run's segments are those"


def test_older_boxes_and_crops_that_no_run_uses_are_not_needed(embedded):
    boxes = next((embedded.root / "hands/mine/train").glob("*/*"))
    copied(boxes, "older-hands-11111111", 100)
    crops = next((embedded.root / "embeddings/mine/train").glob("*/*/hand-*"))
    copied(crops, "hand-fake-hands-00000000-h0.9-o0.01-m0.0-center", 100)
    plan = boxes.parent.name
    found = unused(embedded)
    assert found.keys() == {
        f"hands/mine/train/{plan}/older-hands-11111111",
        f"embeddings/mine/train/{plan}/fake-00000000/hand-fake-hands-00000000-h0.9-o0.01-m0.0-center",
    }
    # The same, but the run that was trained uses the older ones.
    train_run(
        embedded,
        plan_run(embedded, TrainOptions("mine", set={"epochs": 1}, hands=crops.name)),
        Machine(1, "cpu"),
        Silent(),
    )
    copied(boxes, "newer-hands-22222222", -100)
    assert f"hands/mine/train/{plan}/{boxes.name}" not in unused(embedded)


class Blind:
    """It finds no hand."""

    def detect(self, images):
        return [[] for _ in images]


def test_crops_that_are_all_stale_are_not_needed(embedded):
    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    identity = DetectorIdentity("fake-hands-00000000", {"detector": "fake", "threshold": 2}, {})
    stage.run(DetectHandsStage(frames, identity, Blind))
    ((path, why),) = unused(embedded).items()
    assert path.startswith("embeddings/mine/val/seg4-k1-native-q95/fake-00000000/hand-fake-hands-00000000-")
    assert why.startswith("stale: ")


def test_caches_go_unless_a_run_is_trained_and_leftovers_go_when_their_process_is_dead(embedded):
    cache = embedded.cache("features", "0123")
    cache.mkdir(parents=True)
    (cache / "matrix.npy").write_bytes(b"x" * 1000)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname()
    (embedded.root / "runs" / "a" / "noun").mkdir(parents=True)
    (embedded.root / f".workspace.toml.{host}-{dead.pid}.tmp").touch()
    (embedded.root / f".workspace.toml.{host}-{os.getpid()}.tmp").touch()
    (embedded.root / ".workspace.toml.elsewhere-1.tmp").touch()
    (embedded.scratch / f"decode-{host}-{dead.pid}" / "x").mkdir(parents=True)
    (embedded.root / "part-0000.parquet.damaged").touch()
    left = {
        f".workspace.toml.{host}-{dead.pid}.tmp": "left by a process that was killed",
        f"tmp/decode-{host}-{dead.pid}": "left by a process that was killed",
        "part-0000.parquet.damaged": "damaged, set aside",
    }
    assert unused(embedded) == {"cache/features/0123": "a cache, made again when it is needed", **left}
    with exclusive_lock(embedded.root / "runs" / "a" / "noun"):
        assert unused(embedded) == left


def test_what_is_locked_is_kept_and_what_is_removed_leaves_no_empty_folders(tmp_path):
    folder = tmp_path / "hands" / "mine" / "val"
    folder.mkdir(parents=True)
    (folder / "part-0000.parquet").write_bytes(b"x" * 10)
    assert size_of(folder) == size_of(folder / "part-0000.parquet") == 10
    hold = "import sys, time\nfrom pathlib import Path\nfrom pipelines.engine.locks import ShardLock\n"
    hold += "assert ShardLock(Path(sys.argv[1])).acquire()\nprint('held', flush=True)\ntime.sleep(60)\n"
    lock = folder / ".locks" / "part-0000.parquet.lock"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InUse):
            remove_unused([folder], tmp_path)
    finally:
        holder.kill()
        holder.wait()
    assert (folder / "part-0000.parquet").is_file()
    remove_unused([folder], tmp_path)
    assert list(tmp_path.iterdir()) == []
