from __future__ import annotations

import json

from pipelines.engine.run_policy import RunPolicy
from xmic_cli.app import run


def test_status_as_json_and_as_text(embedded, capsys):
    assert run(["status", "-w", str(embedded.root), "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert {"done", "stale", "missing", "damaged", "incomplete", "why", "next", "failures"} <= set(stages[0])
    next((embedded.root / "embeddings/mine/val").rglob("full/part-*")).unlink()
    assert run(["status", "-w", str(embedded.root)]) == 0
    printed = capsys.readouterr()
    assert "not made yet" in printed.err
    assert "next: xmic embed mine --split val" in printed.err
    assert "seg4-k1-native-q95" in printed.out


def test_an_empty_workspace_exits_5(tmp_path, capsys):
    assert run(["status", "-w", str(tmp_path / "none")]) == 5
    assert "Run xmic prepare first" in capsys.readouterr().err


def _shards(capsys, embedded, *options):
    capsys.readouterr()
    code = run(["status", "-w", str(embedded.root), "--shards", "--json", *options])
    return code, json.loads(capsys.readouterr().out)["shards"]


def test_shards_lists_what_to_submit_again_and_the_exit_code_says_whether_there_is_any(embedded, capsys):
    assert _shards(capsys, embedded) == (0, [])
    part = next((embedded.root / "embeddings/mine/val").rglob("full/part-*"))
    part.unlink()
    code, (found,) = _shards(capsys, embedded, "--tasks", "16")
    assert (code, found["stage"], found["split"], found["shard"]) == (5, "embed", "val", part.name)
    assert (found["state"], found["why"], found["folder"]) == ("missing", "not made yet", str(part.parent))
    assert found["next"].startswith("xmic embed mine --split val")
    assert RunPolicy(shard=(found["task"], 16)).takes(part.name)
    assert _shards(capsys, embedded)[1][0]["task"] is None
    assert run(["status", "-w", str(embedded.root), "--shards", "--tasks", "16"]) == 5
    assert f"--array={found['task']}\n" in capsys.readouterr().err


def test_shards_of_a_stage_that_is_not_started_are_listed(embedded, capsys):
    for part in (embedded.root / "frames/mine/val").rglob("part-*"):
        part.unlink()
    code, found = _shards(capsys, embedded)
    assert code == 5
    assert [(item["stage"], item["split"], item["why"]) for item in found if item["stage"] == "decode"] == [
        ("decode", "val", "not started")
    ]


def test_shards_with_nothing_but_rows_to_retry_exit_4(embedded, capsys):
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.engine.shard_writer import ShardWriter

    frames = DecodeStage(embedded, "other", "val", FramePlan(2, 1, 0))
    for unit in frames.units():
        with ShardWriter(
            unit.path,
            frames.layout,
            frames.sides,
            stage=frames.name,
            version=frames.version,
            params=frames.params,
            inputs=unit.inputs,
            attempted=8,
            provenance=frames.provenance,
            environment={},
        ) as shard:
            shard.fail("worker_killed", "signal 9", video_id="x", rows=8)
    code, found = _shards(capsys, embedded)
    assert (code, {item["state"] for item in found}) == (4, {"incomplete"})
    assert found[0]["why"] == "failures that may pass: 8 worker_killed"


def test_tasks_without_shards_is_refused(embedded, capsys):
    assert run(["status", "-w", str(embedded.root), "--tasks", "16"]) == 2
    assert "--tasks 16: it numbers the shards that --shards lists; add --shards." in capsys.readouterr().err
