from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pipelines.hands.finetune.batches import Batch, Batches, Stage, mirrored_classes


@dataclass(frozen=True)
class _Squares:
    """A white left hand in the left half of a black picture, a grey right one in the right half."""

    names: tuple[str, ...] = ("left hand", "right hand")

    def __len__(self) -> int:
        return 5

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        picture = np.zeros((40, 80, 3), np.uint8)
        picture[10:30, 10:30], picture[10:30, 50:70] = 255, 128
        boxes = np.array([[10 / 80, 0.25, 30 / 80, 0.75], [50 / 80, 0.25, 70 / 80, 0.75]], np.float32)
        return picture, boxes, np.array([0, 1])


def made(mosaic: float, seed: int = 0, step: int = 0) -> Batch:
    return Batches(_Squares(), seed, 8, Stage(1.0, 64, mosaic))[step]


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_boxes_stay_on_what_they_are_of(mosaic: float) -> None:
    batch = made(mosaic)
    assert batch.images.shape == (8, 3, 64, 64)
    assert len(batch.boxes) >= 8
    levels = []
    for owner, kind, (x, y, w, h) in zip(batch.owner, batch.classes[:, 0], (batch.boxes * 64).tolist(), strict=True):
        inside = batch.images[int(owner), :, int(y - h / 4) : int(y + h / 4) + 1, int(x - w / 4) : int(x + w / 4) + 1]
        if min(w, h) > 6:
            levels.append((int(kind), float(inside.float().mean())))
    assert all(level > 40 for _, level in levels)
    assert len(levels) > 4


def test_a_mirrored_left_hand_is_a_right_one() -> None:
    assert mirrored_classes(("left hand", "right hand")).tolist() == [1, 0]
    assert mirrored_classes(("cup", "hand_r", "hand_l")).tolist() == [0, 2, 1]
    assert mirrored_classes(("hand",)).tolist() == [0]
    batch = made(0.0)
    for owner in range(8):
        mine = batch.owner == owner
        x, kinds = batch.boxes[mine, 0], batch.classes[mine, 0]
        if len(x) == 2:
            assert kinds[x.argmin()] == 0  # a mirrored picture has the other hands in the same halves
            assert kinds[x.argmax()] == 1


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    assert torch.equal(made(0.5).images, made(0.5).images)
    assert not torch.equal(made(0.5).images, made(0.5, step=1).images)
    assert not torch.equal(made(0.5).images, made(0.5, seed=1).images)


def test_every_picture_comes_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    batches = Batches(_Squares(), 0, 5, Stage(1.0, 64, 0.0))
    read = _Squares.read
    monkeypatch.setattr(_Squares, "read", lambda self, index: asked.append(index) or read(self, index))
    _, _ = batches[0], batches[1]
    assert sorted(asked[:5]) == sorted(asked[5:]) == [0, 1, 2, 3, 4]
    assert asked[:5] != asked[5:]


def _inverted(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 255 - image


def test_a_stage_with_styles_wants_a_way_to_make_them() -> None:
    with pytest.raises(ValueError, match="no style is given"):
        Batches(_Squares(), 0, 5, Stage(1.0, 64, 0.0, 0.4))


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 8, 24), (1.0, 30, 32)])
def test_a_share_of_the_inputs_is_shown_in_another_style_with_the_same_boxes(
    share: float, least: int, most: int
) -> None:
    plain, styled = (Batches(_Squares(), 0, 32, Stage(1.0, 64, 0.5, style), _inverted)[0] for style in (0.0, share))
    assert torch.equal(plain.boxes, styled.boxes)
    pairs = zip(plain.images, styled.images, strict=True)
    assert least <= sum(not torch.equal(one, other) for one, other in pairs) <= most
