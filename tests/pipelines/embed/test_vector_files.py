from __future__ import annotations

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError
from pipelines.embed.vector_files import read_vectors

VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)
CLIPS = ["a", "b", "c"]


def test_each_format_gives_the_same_vectors_and_keys(tmp_path):
    np.savez(tmp_path / "v.npz", vectors=VECTORS, clip_id=CLIPS, segment=[0, 1, 2], logit_scale=100.0)
    torch.save(
        {"vectors": torch.from_numpy(VECTORS), "clip_id": CLIPS, "segment": [0, 1, 2], "logit_scale": 100.0},
        tmp_path / "v.pt",
    )
    np.save(tmp_path / "v.npy", VECTORS)
    torch.save(torch.from_numpy(VECTORS).bfloat16(), tmp_path / "alone.pt")
    (tmp_path / "keys.csv").write_text("clip_id,segment\na,0\nb,1\nc,2\n")
    for name, keys in (("v.npz", None), ("v.pt", None), ("v.npy", "keys.csv"), ("alone.pt", "keys.csv")):
        found = read_vectors(tmp_path / name, keys and tmp_path / keys)
        np.testing.assert_array_equal(found.vectors, VECTORS)
        assert found.texts("clip_id") == CLIPS
        assert found.numbers("segment", whole=True).tolist() == [0, 1, 2]
        assert found.scalars == ({} if keys else {"logit_scale": 100.0})
        assert found.dim == 2


class Trap:
    def __reduce__(self):
        return print, ("executed",)


def test_nothing_in_a_file_is_executed(tmp_path, capsys):
    torch.save({"vectors": torch.zeros(1, 2), "trap": Trap()}, tmp_path / "v.pt")
    np.savez(tmp_path / "v.npz", vectors=np.array([[Trap()]], object))
    np.save(tmp_path / "v.npy", np.array([[Trap()]], object), allow_pickle=True)
    for name in ("v.pt", "v.npz", "v.npy"):
        with pytest.raises(InputError, match="not read"):
            read_vectors(tmp_path / name)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"features": VECTORS}, "there is no 'vectors' in it, only features"),
        ({"vectors": VECTORS[0]}, r"vectors are float32 \[2\]; expected floats \[rows, width\]"),
        ({"vectors": VECTORS.astype(int)}, "vectors are int64"),
        ({"vectors": VECTORS[:0]}, r"vectors are float32 \[0, 2\]"),
        ({"vectors": VECTORS, "clip_id": CLIPS[:2]}, "2 values of clip_id for 3 vectors"),
    ],
)
def test_what_are_no_vectors_is_refused_with_what_was_found(tmp_path, parts, message):
    np.savez(tmp_path / "v.npz", **parts)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v.npz")


def test_missing_files_unknown_endings_and_keys_twice_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_vectors(tmp_path / "v.npy")
    (tmp_path / "v.pkl").touch()
    with pytest.raises(InputError, match=r"vectors come as \.npy, \.npz, \.pt, not \.pkl"):
        read_vectors(tmp_path / "v.pkl")
    np.savez(tmp_path / "v.npz", vectors=VECTORS, clip_id=CLIPS)
    with pytest.raises(InputError, match="has keys of its own"):
        read_vectors(tmp_path / "v.npz", tmp_path / "keys.csv")


def test_a_cell_that_is_no_number_is_named_with_its_row(tmp_path):
    np.savez(tmp_path / "v.npz", vectors=VECTORS, time_s=["0", "one", "2"], segment=[0, 0.5, 1])
    found = read_vectors(tmp_path / "v.npz")
    with pytest.raises(InputError, match="row 1: time_s is 'one'; expected a number"):
        found.numbers("time_s")
    with pytest.raises(InputError, match=r"row 1: segment is 0\.5; expected a whole number"):
        found.numbers("segment", whole=True)
    with pytest.raises(InputError, match="there is no clip_id; beside the vectors there is time_s, segment"):
        found.texts("clip_id")


def test_vectors_of_length_1_are_known_as_normalised(tmp_path):
    unit = VECTORS[1:] / np.linalg.norm(VECTORS[1:], axis=1, keepdims=True)
    for name, vectors, expected in (("raw", VECTORS, False), ("unit", unit, True)):
        np.savez(tmp_path / f"{name}.npz", vectors=vectors)
        assert read_vectors(tmp_path / f"{name}.npz").normalised is expected


def test_one_id_is_read_alike_from_bytes_floats_and_tables_with_mixed_cells(tmp_path):
    (tmp_path / "keys.jsonl").write_text('{"clip_id": 3, "n": 1}\n{"clip_id": "x"}\n{"clip_id": 7.0, "n": 2.5}\n')
    np.save(tmp_path / "v.npy", VECTORS)
    mixed = read_vectors(tmp_path / "v.npy", tmp_path / "keys.jsonl")
    assert mixed.texts("clip_id") == ["3", "x", "7"]
    with pytest.raises(InputError, match=r"row 1: n is None; expected a number"):
        mixed.numbers("n")
    for ids in (np.array([b"3", b"4", b"5"]), np.array([3.0, 4.0, 5.0]), np.array([3, 4, 5], np.int8)):
        np.savez(tmp_path / "v.npz", vectors=VECTORS, clip_id=ids, segment=ids)
        found = read_vectors(tmp_path / "v.npz")
        assert found.texts("clip_id") == ["3", "4", "5"]
        assert found.numbers("segment", whole=True).tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.array([True, False, True]), "row 0: clip_id 'True' is a truth value"),
        (np.array(["a", "", "c"]), "row 1: clip_id is empty"),
        (np.array(["2020-03-01"] * 3, "datetime64[D]"), "row 0: clip_id '2020-03-01' is a date"),
    ],
)
def test_what_is_no_id_is_refused_by_its_row(tmp_path, ids, message):
    np.savez(tmp_path / "v.npz", vectors=VECTORS, clip_id=ids)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v.npz").texts("clip_id")


@pytest.mark.parametrize("cells", [[True, False, True], [1, 0, 1], [1.0, 0.0, 1.0], ["True", "FALSE", "1"]])
def test_a_flag_is_true_or_false_however_it_is_written(tmp_path, cells):
    np.savez(tmp_path / "v.npz", vectors=VECTORS, whole_frame=cells)
    assert read_vectors(tmp_path / "v.npz").flags("whole_frame").tolist() == [True, False, True]
    np.savez(tmp_path / "v.npz", vectors=VECTORS, whole_frame=["true", "maybe", "1"])
    with pytest.raises(InputError, match="row 1: whole_frame is neither true nor false"):
        read_vectors(tmp_path / "v.npz").flags("whole_frame")


@pytest.mark.parametrize(("factor", "same"), [(1, True), (1.001, True), (-1, False), (2, False)])
def test_vectors_of_one_picture_agree_in_direction_and_length(tmp_path, factor, same):
    one = np.random.default_rng(0).normal(size=64).astype(np.float16)
    np.savez(tmp_path / "v.npz", vectors=np.stack([one, one * np.float16(factor)]))
    assert read_vectors(tmp_path / "v.npz").same(0, 1) is same
