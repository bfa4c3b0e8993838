"""Arrays that state more than the file holds are refused before memory is taken for them."""

from __future__ import annotations

import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError
from pipelines.embed.vector_files import read_vectors
from tests.hostile_media import zeros_npz


def _refused(file: Path, match: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=match):
        read_vectors(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_zeros_that_were_compressed_to_a_thousandth_are_not_unpacked(tmp_path: Path) -> None:
    zeros_npz(tmp_path / "v.npz", 200_000, 100)
    _refused(tmp_path / "v.npz", r"vectors.npy has 80000\d+ bytes, made of \d+; expected at most 100 times as many")


def test_a_header_that_states_more_than_there_is_is_refused(tmp_path: Path) -> None:
    zeros_npz(tmp_path / "v.npz", 10, 100, stated_rows=10**9)
    _refused(tmp_path / "v.npz", r"states float32 \[1000000000, 100\], 400000000000 bytes, but has 41")


def test_a_compressed_torch_file_is_not_unpacked_either(tmp_path: Path) -> None:
    torch.save({"vectors": torch.zeros(200_000, 100)}, tmp_path / "stored.pt")
    with zipfile.ZipFile(tmp_path / "stored.pt") as old, zipfile.ZipFile(tmp_path / "v.pt", "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    _refused(tmp_path / "v.pt", "expected at most 100 times as many")


def test_a_key_of_another_length_is_named_before_it_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "v.npz", vectors=np.ones((3, 2), np.float32), clip_id=np.array(["a"] * 5))
    _refused(tmp_path / "v.npz", "5 values of clip_id for 3 vectors")


def test_usual_files_are_read_as_before(tmp_path: Path) -> None:
    found = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float16)
    keys = {"clip_id": np.array(["a" * 30] * 40), "frame": np.arange(40), "logit_scale": np.float32(100)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "v.npz", vectors=found, **keys)
        assert np.array_equal(read_vectors(tmp_path / "v.npz").vectors, found)
