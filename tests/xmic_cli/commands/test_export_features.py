from __future__ import annotations

import json

from xmic_cli.app import run


def test_each_split_has_a_folder_with_vectors_index_and_dataset(embedded, tmp_path, capsys):
    assert run(["export-features", "-o", str(tmp_path / "out"), "--json", "-w", str(embedded.root)]) == 0
    found = json.loads(capsys.readouterr().out)["exported"]
    assert [item["folder"] for item in found] == [
        str(tmp_path / "out" / name) for name in ("mine-train", "mine-val", "other-val")
    ]
    for item in found:
        names = {path.name for path in (tmp_path / "out" / item["folder"]).iterdir()}
        assert names == {"vectors.safetensors", "index.parquet", "dataset.py"}


def test_a_stream_that_there_is_not_exits_2(embedded, capsys):
    assert run(["export-features", "mine", "--stream", "side", "-w", str(embedded.root)]) == 2
    assert "side" in capsys.readouterr().err
