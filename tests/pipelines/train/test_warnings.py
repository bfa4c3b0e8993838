from __future__ import annotations

import math

import pytest

from pipelines.methods.recipe import PAPER, Recipe
from pipelines.train.warnings import after_training, before_training, too_few_clips


def test_the_official_recipe_on_a_real_dataset_gives_no_warning():
    assert before_training(Recipe(), 67_217 // 128) == []


def test_a_short_training_is_told_with_its_steps():
    (said,) = before_training(Recipe(epochs=15, batch=8), 8)
    assert said.startswith("120 steps in all: under 200, a training is short.")
    assert "--set epochs=30" in said
    assert "--set batch=4" in said
    assert before_training(Recipe(epochs=15), 14) == []


def test_a_recipe_that_can_hardly_move_a_weight_is_told():
    (said,) = before_training(Recipe(**PAPER), 525)
    assert "7875 steps at a learning rate of 1e-06 move a weight by at most 0.0079" in said
    assert before_training(Recipe(**{**PAPER, "lr": 1e-5}), 525) == []
    # The bound is AdamW's: SGD moves by the gradient.
    assert before_training(Recipe(optimiser="sgd", lr=1e-6), 525) == []
    assert before_training(Recipe(**PAPER), 525, "matched") == []


@pytest.mark.parametrize(("loss", "told"), [(math.log(13), True), (2.58, True), (2.5, False), (2.7, False)])
def test_a_loss_at_rest_at_chance_is_told(loss, told):
    said = after_training({"loss": loss}, 13)
    assert bool(said) == told
    if told:
        assert "within 1 % of ln 13 = 2.565" in said[0]


def test_a_vector_that_drowns_the_text_is_told_with_both_lengths():
    (said,) = after_training({"loss": 1.0, "text_norm": 18.0, "xmic_norm": 200.0}, 13)
    assert "has length 200, 11 times" in said
    assert after_training({"loss": 1.0, "text_norm": 18.0, "xmic_norm": 80.0}, 13) == []
    assert after_training({"loss": 1.0, "video_norm": 10.0, "xmic_norm": 60.0}, 13) != []
    # CLIP-Adapter has a text_norm too, which is not compared with anything.
    assert after_training({"loss": 1.0, "text_norm": 0.1, "visual_norm": 9.0}, 13) == []


def test_under_twenty_clips_a_class_are_few() -> None:
    assert too_few_clips(200, 10) == []
    (said,) = too_few_clips(199, 10)
    assert said.startswith("199 training clips of 10 classes are 19.9 a class: under 20")
    assert too_few_clips(0, 0) == []
