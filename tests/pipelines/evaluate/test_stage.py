from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import DamagedShard, read_rows
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.trained import find_run, targets_of
from pipelines.methods.xmic import XMIC
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from tests.pipelines.evaluate.scored import score


def test_within_and_cross_use_all_classes_of_the_target(trained):
    workspace, run = trained
    targets, notes = targets_of(workspace, run, ["other"], None)
    assert targets == [("mine", "val"), ("other", "val")]
    assert notes == []
    within, cross = score(workspace, run, targets)
    assert within["within"]
    assert not cross["within"]
    assert (within["labels"]["noun"]["classes"], cross["labels"]["noun"]["classes"]) == (3, 4)
    assert cross["labels"]["verb"]["n_evaluated"] == cross["labels"]["verb"]["n_official"] == 6
    rows = read_rows(workspace.root / "evaluations" / run.config["name"] / "other-val/predictions.parquet")
    assert len(rows.column("noun_scores").to_pylist()[0]) == 4


def test_damage_in_a_column_that_no_number_needs_is_noticed_too(trained):
    workspace, run = trained
    score(workspace, run, [("mine", "val")])
    file = workspace.evaluation(run.config["name"], "mine", "val") / "predictions.parquet"
    group = pq.read_metadata(file).row_group(0)
    (column,) = (group.column(at) for at in range(group.num_columns) if group.column(at).path_in_schema == "video_id")
    data = bytearray(file.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    file.write_bytes(data)
    with pytest.raises(DamagedShard, match=r"predictions\.parquet"):
        score(workspace, run, [("mine", "val")])


def test_where_nothing_is_prepared_nothing_is_evaluated(trained, tmp_path):
    _, run = trained
    with pytest.raises(MissingUpstream, match="mine is not prepared here, and no other dataset is named"):
        targets_of(Workspace.open(tmp_path / "elsewhere"), run, [], None)


def test_the_numbers_are_those_of_the_written_scores(trained):
    workspace, run = trained
    (metrics,) = score(workspace, run, [("mine", "val")])
    rows = read_rows(workspace.root / "evaluations" / run.config["name"] / "mine-val/predictions.parquet").to_pylist()
    right = [int(np.argmax(row["noun_scores"])) == row["noun_class"] for row in rows]
    assert metrics["labels"]["noun"]["top1"] == pytest.approx(100 * np.mean(right))
    by_class = {
        c: np.mean([r for r, row in zip(right, rows, strict=True) if row["noun_class"] == c]) for c in (0, 1, 2)
    }
    assert metrics["labels"]["noun"]["class_mean"] == pytest.approx(100 * np.mean(list(by_class.values())))


def test_every_forward_pass_has_one_shape_so_that_few_clips_score_as_among_many(trained, monkeypatch):
    workspace, run = trained
    shapes = []
    forward = XMIC.forward

    def watched(method, batch, text):
        shapes.append(batch.frames.shape[0])
        return forward(method, batch, text)

    monkeypatch.setattr(XMIC, "forward", watched)
    score(workspace, run, [("mine", "val")])
    assert shapes == [128, 128]


def test_zero_shot_scores_are_the_scaled_cosines(embedded, world):
    request = TrainOptions("mine", "zero-shot", classify="full")
    planned = plan_run(embedded, request)
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    score(embedded, find_run(embedded, planned.name), [("mine", "val")])
    row = read_rows(embedded.root / "evaluations" / planned.name / "mine-val/predictions.parquet").to_pylist()[0]
    vectors = [
        r["vector"]
        for part in (embedded.root / "embeddings/mine/val/seg4-k1-native-q95/fake-00000000/full").glob("part-*")
        for r in read_rows(part).to_pylist()
        if r["video_id"] == row["video_id"]
    ]
    frames = torch.tensor(np.array(vectors, np.float64))
    video = torch.nn.functional.normalize(torch.nn.functional.normalize(frames, dim=1).mean(0), dim=0)
    text = torch.tensor(world.FakeEncoder().encode_texts(["bread", "jar", "pan"]), dtype=torch.float64)
    expected = 100 * torch.nn.functional.normalize(text, dim=1) @ video
    np.testing.assert_allclose(row["noun_scores"], expected.numpy(), rtol=1e-4, atol=1e-3)


def test_a_second_evaluation_does_no_work_and_new_weights_redo_it(trained):
    workspace, run = trained
    (first,) = score(workspace, run, [("mine", "val")])
    (second,) = score(workspace, run, [("mine", "val")])
    assert (first["made"], second["made"]) == (1, 0)
    file = workspace.root / "evaluations" / run.config["name"] / "mine-val" / "metrics.json"
    assert json.loads(file.read_text())["labels"] == first["labels"]


def test_clips_without_frames_are_counted_not_hidden(trained):
    workspace, run = trained
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.stage import DecodeStage
    from pipelines.engine.shards import side_path

    # A failed frame leaves its clip without a row in clip_frames: the same file, written without one clip.
    frames = DecodeStage(workspace, "mine", "val", FramePlan(4, 1, 0))
    import pyarrow.parquet as pq

    part = next(frames.folder.glob("part-*"))
    side = side_path(part, "clip_frames")
    table = pq.read_table(side)
    lost = table.column("clip_id")[0].as_py()
    keep = [value != lost for value in table.column("clip_id").to_pylist()]
    pq.write_table(table.filter(keep).replace_schema_metadata(table.schema.metadata), side)
    (metrics,) = score(workspace, run, [("mine", "val")])
    assert (metrics["labels"]["noun"]["n_evaluated"], metrics["labels"]["noun"]["n_official"]) == (5, 6)


def test_a_target_without_a_split_or_vectors_names_the_command(trained):
    workspace, run = trained
    with pytest.raises(MissingUpstream, match="nowhere has no prepared val or test split"):
        targets_of(workspace, run, ["nowhere"], None)
    with pytest.raises(UsageError, match="--split all: expected train, val, test"):
        targets_of(workspace, run, [], "all")


def test_runs_are_found_by_name_and_the_newest_by_default(trained):
    workspace, run = trained
    assert find_run(workspace, run.config["name"]).folder == run.folder
    assert find_run(workspace, str(run.folder)).folder == run.folder
    with pytest.raises(MissingUpstream, match="no such run; there is xmic-official-mine-s0-"):
        find_run(workspace, "other")


@pytest.mark.parametrize("content", [b'{"name": "x"', b"\xff\xfe", b"3", b"{}"])
def test_a_damaged_configuration_names_the_file_and_what_to_do(trained, content):
    workspace, run = trained
    file = run.folder / "noun" / "config.json"
    file.write_bytes(content)
    with pytest.raises(
        InputError, match=r"noun/config\.json: not the configuration of a trained head \(.*remove .*again"
    ):
        find_run(workspace, None)


def test_weights_of_another_configuration_are_refused(trained):
    workspace, run = trained
    weights = run.folder / "noun" / "weights.safetensors"
    from safetensors.torch import save_file

    save_file({"something": torch.zeros(2)}, weights, {"method": "xmic"})
    with pytest.raises(InputError, match="tensor .* has shape"):
        score(workspace, run, [("mine", "val")])


def test_random_weights_and_the_share_of_full_frames_are_said(embedded, world):
    import shutil

    shutil.rmtree(embedded.root / "embeddings")
    world.embed_dataset(embedded, "mine", ("train", "val"), world.encoder(random_weights=True))
    planned = plan_run(embedded, TrainOptions("mine", set={"epochs": 1}))
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    (metrics,) = score(embedded, find_run(embedded, None), [("mine", "val")])
    assert metrics["random_weights"] == ["fake-00000000"]
    assert 0 < metrics["hand_fallback_rate"] < 1
