from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from packaged_models.encoder.measure import measure_encoder
from pipelines.embed.encoders import load_encoder
from pipelines.engine.progress import Silent


class _Colours:
    """An encoder that tells pictures apart by their mean colour, and texts not at all by what they say."""

    def preprocess(self, picture: np.ndarray) -> Tensor:
        return torch.from_numpy(picture.astype(np.float32).mean(axis=(0, 1)))

    def embed(self, inputs: Sequence[Tensor]) -> np.ndarray:
        return torch.stack(list(inputs)).numpy()

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.random.default_rng(len(texts)).random((len(texts), 3)) + 0.1


def test_every_domain_has_a_row_for_each_kind_of_picture_and_verbs_for_clips_only() -> None:
    rows = measure_encoder(_Colours(), 7_001, 4, Silent())
    kinds = ["one thing", "several things", "first person", "hand crops"]
    assert [(row["domain"], row["pictures"]) for row in rows] == [
        (d, kind) for d in ("epic", "ego4d") for kind in kinds
    ]
    assert all(row["count"] == 4 and row["classes"] == 28 and 0 <= row["noun"] <= 100 for row in rows)
    assert [row["verb"] is None for row in rows] == [True, True, False, False] * 2
    assert measure_encoder(_Colours(), 7_001, 4, Silent()) == rows


def test_the_packaged_encoder_knows_third_person_pictures_far_above_chance() -> None:
    encoder = load_encoder("pocket", precision="fp32", batch_size=8, device="cpu", offline=True)
    rows = measure_encoder(encoder, 7_002, 40, Silent())
    third = [row["noun"] for row in rows if row["pictures"] == "one thing"]
    assert np.mean(third) == pytest.approx(45, abs=15)  # chance is 3.6
