from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from packaged_models.encoder.measure import COLUMNS, Measured, Row, measure_encoder
from packaged_models.encoder.zero_shot import ZeroShot
from pipelines.embed.encoders import load_encoder
from pipelines.engine.progress import Silent
from pocket_kitchens.drawing.domains import EGO4D, EPIC
from pocket_kitchens.world import Size, plan_world
from tests.packaged_models.encoder.kinds import KINDS

NUMBERS = ZeroShot(400, 200, 13, 10.0, 2.6, 2.0, 2.5, 2.565, 0.065, (0.01, 0.12), 0.4, 0.3, (0.05, 0.15), 0.9)


class _Colours:
    """An encoder that tells pictures apart by their mean colour, and texts not at all by what they say."""

    logit_scale = 10.0

    def preprocess(self, picture: np.ndarray) -> Tensor:
        return torch.from_numpy(picture.astype(np.float32).mean(axis=(0, 1)))

    def embed(self, inputs: Sequence[Tensor]) -> np.ndarray:
        return torch.stack(list(inputs)).numpy()

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.random.default_rng(len(texts)).random((len(texts), 3)) + 0.1


def test_every_domain_and_label_has_a_row_for_each_kind_of_picture_and_verbs_for_clips_only() -> None:
    measured = measure_encoder(_Colours(), [7_001, 7_003], 3, Silent())
    assert [(row.domain, row.label, row.pictures) for row in measured.rows] == [
        (domain, label, pictures) for domain in ("epic", "ego4d") for label, pictures in KINDS
    ]
    assert {(row.label, row.numbers.classes) for row in measured.rows} == {("noun", 28), ("verb", 13)}
    assert all(row.numbers.clips == 6 for row in measured.rows)
    assert measured.too_few()
    assert measure_encoder(_Colours(), [7_001, 7_003], 3, Silent()) == measured


def test_clips_of_a_seed_share_their_recordings_as_in_the_datasets() -> None:
    measured = measure_encoder(_Colours(), [7_001, 7_003], 9, Silent())
    found = {row.domain: row.numbers.recordings for row in measured.rows if row.pictures == "hand crops"}
    videos = {
        domain.name: [
            (seed, video) for seed in (7_001, 7_003) for video in plan_world(domain, Size(0, 9, (2, 4)), seed)
        ]
        for domain in (EPIC, EGO4D)
    }
    assert found["epic"] == len(videos["epic"]) > 2
    assert found["ego4d"] == len({(seed, video.person) for seed, video in videos["ego4d"]})


def test_the_packaged_encoder_knows_third_person_pictures_far_above_chance() -> None:
    encoder = load_encoder("pocket", precision="fp32", batch_size=8, device="cpu", offline=True)
    measured = measure_encoder(encoder, [7_002], 40, Silent())
    third = [row.numbers for row in measured.rows if row.pictures == "one thing"]
    assert np.mean([numbers.top1 for numbers in third]) == pytest.approx(45, abs=15)  # chance is 3.6
    assert all(numbers.informative for numbers in third)


@pytest.mark.parametrize("weak", ["full frames", "hand crops"])
def test_a_label_is_informative_only_if_full_frames_and_hand_crops_are(weak: str) -> None:
    good = [Row("epic", "verb", "full frames", NUMBERS), Row("epic", "verb", "hand crops", NUMBERS)]
    assert Measured((910,), 14.0, tuple(good)).informative() == {("epic", "verb"): True}
    poor = replace(NUMBERS, gain_interval=(-0.01, 0.12))
    rows = tuple(replace(row, numbers=poor) if row.pictures == weak else row for row in good)
    measured = Measured((910,), 14.0, rows)
    assert measured.informative() == {("epic", "verb"): False}
    plain = measured.plain("pocket-00000000")
    assert plain["verdicts"] == [{"domain": "epic", "label": "verb", "verdict": "not informative"}]
    verdicts = {row["pictures"]: row["verdict"] for row in plain["rows"]}
    assert sorted(verdicts.values()) == ["informative", "not informative"]
    assert verdicts[weak] == "not informative"


def test_third_person_pictures_decide_no_verdict() -> None:
    poor = Row("epic", "noun", "one thing", replace(NUMBERS, gain_interval=(-0.01, 0.12)))
    good = [Row("epic", "noun", kind, NUMBERS) for kind in ("full frames", "hand crops")]
    assert Measured((910,), 14.0, (poor, *good)).informative() == {("epic", "noun"): True}


def test_a_row_of_the_table_says_what_its_head_names() -> None:
    shown = dict(zip(COLUMNS, Row("epic", "verb", "hand crops", NUMBERS).cells(), strict=True))
    assert shown["top-1 %"] == "10.0"
    assert (shown["loss"], shown["best T"], shown["loss at T"], shown["ln C"]) == ("2.600", "2.000", "2.500", "2.565")
    assert shown["ln C − loss at T"] == "0.065 (0.010 to 0.120)"
    assert (shown["own cosine"], shown["all cosine"], shown["text cosine"]) == ("0.400", "0.300", "0.900")
    assert shown["verdict"] == "informative"
