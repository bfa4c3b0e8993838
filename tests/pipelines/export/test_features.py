from __future__ import annotations

import runpy

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from data_manifests.errors import MissingUpstream
from pipelines.engine.clips import read_clips
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.export.features import DATASET, INDEX, export_features
from pipelines.train.options import ProtocolChoice


def test_each_row_of_the_index_has_the_vector_of_its_frame(embedded, tmp_path):
    done = export_features(embedded, "mine", "train", ProtocolChoice(), tmp_path / "out", Silent())
    assert (done.dim, done.rows) == (64, 6 * 4 * 3)
    index = pq.read_table(tmp_path / "out/index.parquet")
    assert index.schema.equals(INDEX)
    with safe_open(tmp_path / "out/vectors.safetensors", "np") as file:
        vectors = file.get_tensor("vectors")
        assert '"spec":"fake"' in file.metadata()["provenance"]
    assert vectors.shape == (done.vectors, 64)
    assert vectors.dtype == np.float16
    folder = embedded.root / "frames/mine/train/seg4-k3-native-q95"
    pts_of = {
        (row["video_id"], row["time_s"]): row["pts"]
        for part in folder.glob("part-*")
        for row in read_rows(part, ["video_id", "pts", "time_s"]).to_pylist()
    }
    stored = {
        (row["video_id"], row["pts"]): row["vector"]
        for part in embedded.root.glob("embeddings/mine/train/*/fake-00000000/full/part-*")
        for row in read_rows(part).to_pylist()
    }
    clips = read_clips(embedded, "mine", "train")
    for row in index.to_pylist():
        pts = pts_of[row["video_id"], row["time_s"]]
        np.testing.assert_array_equal(vectors[row["row"]], np.array(stored[row["video_id"], pts], np.float16))
        assert row["noun_class"] == clips.labels["noun"][clips.clip_ids.index(row["clip_id"])]


def test_the_dataset_beside_it_reads_both_and_loads_in_batches(embedded, tmp_path):
    import torch

    export_features(embedded, "mine", "val", ProtocolChoice(classify="hand"), tmp_path, Silent())
    body = DATASET[DATASET.index("class ") :].splitlines()
    assert len(body) - 2 <= 5  # the class and __init__ lines apart
    features = runpy.run_path(str(tmp_path / "dataset.py"))["Features"](tmp_path)
    assert len(features) == 6 * 4
    vectors, rows = next(iter(torch.utils.data.DataLoader(features, batch_size=5)))
    assert vectors.shape == (5, 64)
    assert vectors.dtype == torch.float32
    assert rows["noun_class"].shape == (5,)


def test_what_is_not_embedded_is_answered_with_the_command(embedded, tmp_path):
    with pytest.raises(MissingUpstream, match="no encoder nothing; there is fake-00000000. Run xmic embed mine"):
        export_features(embedded, "mine", "val", ProtocolChoice(encoder="nothing"), tmp_path, Silent())
