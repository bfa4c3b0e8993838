from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from pipelines.engine.shards import read_rows
from xmic_cli.app import run


@pytest.fixture
def elsewhere(embedded, tmp_path, capsys):
    """The world's own vectors as another program would hand them over: files a split, and the class names'."""
    where = ["-w", str(embedded.root)]
    assert run(["export-features", "mine", "-o", str(tmp_path / "out"), *where]) == 0
    from safetensors.numpy import load_file

    for split in ("train", "val"):
        folder = tmp_path / "out" / f"mine-{split}"
        vectors = load_file(folder / "vectors.safetensors")["vectors"]
        index = read_rows(folder / "index.parquet").to_pylist()
        rows = {row["row"]: row for row in index}
        keys = {name: [rows[number][name] for number in sorted(rows)] for name in ("video_id", "time_s")}
        np.savez(tmp_path / f"{split}.npz", vectors=vectors[sorted(rows)], **keys)
    for label in ("noun", "verb"):
        rows = read_rows(embedded.root / f"text/mine/fake-00000000/{label}-bare.parquet").to_pylist()
        vectors = np.array([row["vector"] for row in rows], np.float32)
        np.savez(tmp_path / f"{label}.npz", vectors=vectors, name=[row["name"] for row in rows], logit_scale=100.0)
    capsys.readouterr()
    return tmp_path


def test_imported_vectors_are_trained_and_evaluated_like_those_they_are_copies_of(embedded, elsewhere, capsys):
    where = ["-w", str(embedded.root)]
    name = ["import-features", "mine", "--name", "copy", *where]
    for split in ("train", "val"):
        assert run([*name, "--split", split, "--vectors", str(elsewhere / f"{split}.npz")]) == 0
    texts = [f"--text={label}={elsewhere / label}.npz" for label in ("noun", "verb")]
    assert run([*name, *texts]) == 0
    scores = []
    for encoder in ("fake-00000000", "imported:copy"):
        options = [
            "--encoder",
            encoder,
            "--streams",
            "full",
            "--classify",
            "full",
            "--set",
            "epochs=1",
            "--set",
            "batch=4",
        ]
        assert run(["train", "mine", *options, *where]) == 0
        capsys.readouterr()
        assert run(["evaluate", "--json", *where]) == 0
        (folder,) = {path.parent for path in embedded.root.glob("evaluations/*/mine-val/predictions.parquet")} - {
            folder for folder, _ in scores
        }
        scores.append((folder, read_rows(folder / "predictions.parquet")))
    assert scores[0][1].equals(scores[1][1])


def test_the_frames_to_make_vectors_of_are_listed(embedded, capsys):
    where = ["-w", str(embedded.root)]
    assert run(["import-features", "mine", "--split", "val", "--list-frames", *where]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 24
    assert set(rows[0]) == {"clip_id", "segment", "candidate", "video_id", "time_s"}
    assert run(["import-features", "mine", "--split", "val", "--list-frames", "--json", *where]) == 0
    frames = json.loads(capsys.readouterr().out)["frames"]
    assert [float(row["time_s"]) for row in rows] == [frame["time_s"] for frame in frames]


@pytest.mark.parametrize("columns", [["clip_id", "segment", "candidate"], ["video_id", "time_s"]])
def test_ids_that_a_spreadsheet_would_run_come_back_from_the_list_of_frames(tmp_path, make_video, capsys, columns):
    where, ids = ["-w", str(tmp_path / "work")], ["-a", "=b", "+c", "@d"]
    rows = ["video,start_s,stop_s,verb,noun,clip_id"]
    for name in ids:
        make_video(tmp_path / f"{name}.mp4", seconds=1, fps=12)
        rows.append(f"{name}.mp4,0,1,cut,bread,{name}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    assert run(["prepare", "table", f"val={tmp_path / 'clips.csv'}", "--name", "mine", *where]) == 0
    assert run(["decode", "mine", "--segments", "1", "--workers", "1", *where]) == 0
    capsys.readouterr()
    assert run(["import-features", "mine", "--split", "val", "--list-frames", *where]) == 0
    listed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["clip_id"] for row in listed} == {f"'{name}" for name in ids}
    keys = {name: [row[name] for row in listed] for name in columns}
    keys |= {name: np.array(keys[name], float) for name in keys if not name.endswith("_id")}
    np.savez(tmp_path / "v.npz", vectors=np.eye(4, 8, dtype=np.float32), **keys)
    call = ["import-features", "mine", "--name", "x", "--split", "val", "--vectors", str(tmp_path / "v.npz")]
    assert run([*call, "--json", *where]) == 0
    (made,) = json.loads(capsys.readouterr().out)["stages"]
    assert (made["rows"], made["failures"]) == (4, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--name", "x"], "nothing to import"),
        (["--name", "x", "--vectors", "v.npy"], "--split is missing"),
        (["--vectors", "v.npy", "--split", "val"], "--name is missing"),
        (["--name", "x", "--text", "nouns.npz"], "--text nouns.npz: expected noun=FILE or verb=FILE"),
        (["--name", "x", "--vectors", "v.npy", "--split", "val", "--stream", "both"], "--stream both: expected full"),
    ],
)
def test_wrong_calls_exit_2_and_say_what_is_missing(embedded, capsys, options, message):
    assert run(["import-features", "mine", "-w", str(embedded.root), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_exits_3(embedded, capsys):
    options = ["--name", "x", "--vectors", "none.npy", "--split", "val", "-w", str(embedded.root)]
    assert run(["import-features", "mine", *options]) == 3
    assert "none.npy: no such file" in capsys.readouterr().err
