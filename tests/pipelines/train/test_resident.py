from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.train import resident
from pipelines.train.data import ClipData, GatheredClips
from pipelines.train.features import StreamVectors
from pipelines.train.resident import free_bytes, keep_on_device
from tests.pipelines.train.loop_world import CPU, Notes

ROWS, WIDTH = 36, 8
BYTES = 2 * ROWS * WIDTH


def stream(folder: Path, name: str) -> StreamVectors:
    """Six clips of two segments with three candidates, memory-mapped as the laid-out ones."""
    vectors = np.random.default_rng(len(name)).standard_normal((ROWS, WIDTH)).astype(np.float16)
    np.save(folder / f"{name}.npy", vectors)
    index = np.arange(ROWS, dtype=np.int32).reshape(6, 2, 3)
    return StreamVectors(np.load(folder / f"{name}.npy", mmap_mode="r"), index, None, {}, name)


@pytest.fixture
def streams(tmp_path: Path) -> dict[str, StreamVectors]:
    hand = stream(tmp_path, "hand")
    return {"frames": hand, "hand": hand, "full": stream(tmp_path, "of full frames")}


def clips(streams: dict[str, StreamVectors], held: dict[str, torch.Tensor]) -> ClipData:
    rows = GatheredClips(np.array([0, 2, 3, 5]), np.zeros(4, np.int64))
    return ClipData(streams, rows, [f"clip {i}" for i in range(6)], 3, CPU, None, held)


def test_kept_vectors_give_the_batches_of_the_memory_map(streams: dict[str, StreamVectors]) -> None:
    held = keep_on_device(streams, CPU, Notes(), 10**9)
    assert set(held) == set(streams)
    # What is read from the map below would not be these numbers.
    lost = {role: StreamVectors(0 * s.matrix, s.index, None, {}, "") for role, s in streams.items()}
    for epoch in (0, 1):
        found = clips(lost, held).batch(np.array([3, 0, 1]), epoch)
        expected = clips(streams, {}).batch(np.array([3, 0, 1]), epoch)
        for role in streams:
            assert getattr(found, role).dtype == torch.float32
            assert torch.equal(getattr(found, role), getattr(expected, role))


def test_two_roles_of_the_same_vectors_share_one_copy(streams: dict[str, StreamVectors]) -> None:
    held = keep_on_device(streams, CPU, Notes(), 4 * BYTES)
    assert set(held) == set(streams)
    assert held["frames"].data_ptr() == held["hand"].data_ptr() != held["full"].data_ptr()


@pytest.mark.parametrize(("free", "kept"), [(4 * BYTES - 1, {"frames", "hand"}), (2 * BYTES - 1, set())])
def test_vectors_take_no_more_than_half_of_what_is_free(
    streams: dict[str, StreamVectors], free: int, kept: set[str]
) -> None:
    notes = Notes()
    assert set(keep_on_device(streams, CPU, notes, free)) == kept
    said = {note.split(":")[0]: "kept on" in note for note in notes.texts}
    assert said == {role: role in kept for role in streams}


def test_pieces_of_a_large_matrix_come_together(
    streams: dict[str, StreamVectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "_PIECE", 5 * 2 * WIDTH)
    held = keep_on_device(streams, CPU, Notes(), 10**9)
    assert torch.equal(held["full"], torch.from_numpy(np.array(streams["full"].matrix)))


def test_a_cpu_keeps_the_memory_map(streams: dict[str, StreamVectors]) -> None:
    notes = Notes()
    assert free_bytes(CPU) is None
    assert keep_on_device(streams, CPU, notes, free_bytes(CPU)) == {}
    assert notes.texts == []
